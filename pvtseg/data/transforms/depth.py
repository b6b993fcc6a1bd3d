"""The training recipe of GLPN (https://arxiv.org/abs/2201.07436, section 3.3), in meters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pvtseg.data.transforms.pipeline import A, Pipeline
from pvtseg.data.transforms.sizes import as_range, as_size


class DepthTraining(Pipeline):
    """Crop, flip, change the colors: image (H, W, 3) uint8, target (H, W) float32
    meters -> both at exactly `size`.

    The image is never scaled at random, because an object that looks twice as large is
    half as far away, so the depths would have to change. resize: (height, width) of
    every image before the crop, which changes the resolution but not the view; the
    evaluation's transform then has to do the same. None leaves images unchanged. Images
    smaller than `size` (height, width) are padded at the bottom and right, with black
    and with depth 0, which is invalid.

    brightness, contrast: up to this fraction, either way. gamma: the range, in percent.
    hue, saturation, value: up to so many steps of OpenCV's, either way (180, 255 and
    255 make the whole). color_prob: the probability of each of three changes:
    brightness and contrast, gamma, and the other three.
    cut_depth_prob: the probability of VerticalCutDepth. It is 0 by default, because it
    helps on NYU depth and hurts on some other data. max_depth: the meters that are
    white in its strip. extra: further steps of albumentations, at the end.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        resize: int | Sequence[int] | None = None,
        flip_prob: float = 0.5,
        brightness: float = 0.2,
        contrast: float = 0.2,
        gamma: Sequence[float] = (80, 120),
        hue: float = 20,
        saturation: float = 30,
        value: float = 20,
        color_prob: float = 0.5,
        cut_depth_prob: float = 0.0,
        cut_depth_width: float = 0.75,
        max_depth: float = 10.0,
        extra: Sequence[A.BasicTransform] = (),
    ) -> None:
        height, width = as_size(size, option="data.train_transform.size")
        first = [] if resize is None else [_resized(*as_size(resize, option="data.train_transform.resize"))]
        super().__init__(
            [
                *first,
                VerticalCutDepth(max_depth, cut_depth_width, prob=cut_depth_prob),
                A.RandomCrop(height, width, pad_if_needed=True, pad_position="top_left", fill=0, fill_mask=0),
                A.HorizontalFlip(p=flip_prob),
                A.RandomBrightnessContrast(brightness, contrast, p=color_prob),
                A.RandomGamma(as_range(gamma, option="data.train_transform.gamma"), p=color_prob),
                A.HueSaturationValue(hue, saturation, value, p=color_prob),
                *extra,
            ]
        )

    def __call__(self, *, image: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        changed = self.steps(image=image, mask=target)
        return {"image": changed["image"], "target": changed["mask"]}


def _resized(height: int, width: int) -> A.Resize:
    """The image by averaging pixels, the depth by picking the one under each pixel's
    center.

    A mean of depths over an edge would be the depth of nothing. INTER_NEAREST would
    pick the upper left depth of each new pixel, (factor - 1) / 2 pixels off its center,
    and a flip would turn the sign of this shift.
    """
    return A.Resize(height, width, interpolation=cv2.INTER_AREA, mask_interpolation=cv2.INTER_NEAREST_EXACT)


class VerticalCutDepth(A.ImageOnlyTransform):
    """Replaces a strip of the image, over its full height, by the depth there as gray:
    0 m black, max_depth white.

    The strip begins at a * W and is (1 - a) * b * width_factor * W wide, at least 1,
    with a and b uniform in 0..1. (The published code pastes millimeters into 8 bits,
    where they wrap around at 256; this one does not.)
    """

    def __init__(self, max_depth: float, width_factor: float = 0.75, *, prob: float = 0.25) -> None:
        super().__init__(p=prob)
        self.max_depth = max_depth
        self.width_factor = width_factor

    @property
    def targets_as_params(self) -> list[str]:
        return ["mask"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        width = data["mask"].shape[1]
        start, fraction = self.py_random.random(), self.py_random.random()
        left = int(start * width)
        right = left + int(max((width - start * width) * fraction * self.width_factor, 1))
        return {"left": left, "strip": data["mask"][:, left:right]}

    def apply(self, img: np.ndarray, left: int, strip: np.ndarray, **_: Any) -> np.ndarray:
        gray = np.clip(strip / self.max_depth * 255, 0, 255).astype(np.uint8)
        img = img.copy()
        img[:, left : left + strip.shape[1]] = gray[..., None]
        return img
