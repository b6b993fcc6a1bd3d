"""The training recipe of SegFormer (https://arxiv.org/abs/2105.15203, section 4.1), and
of mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pvtseg.data.transforms.pipeline import MEAN_COLOR, A, Pipeline
from pvtseg.data.transforms.sizes import as_size, fitting_scale, scaled

LEVELS = np.arange(256, dtype=np.uint8)


class SegmentationTraining(Pipeline):
    """Scale, crop, flip, distort the colors, pad: image (H, W, 3) uint8, target (H, W)
    -> both at exactly `size`.

    size: (height, width) of the crop. base_size: (long, short), the frame that the
    image fits into at ratio 1; None takes the image's own size. cat_max_ratio: the
    fraction of a crop's labeled pixels that one class may not reach; 1 takes any crop.
    Padding, at the bottom and right, is `fill` in the image and ignore_index in the
    target. extra: further steps of albumentations, before the padding.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        base_size: Sequence[int] | None = None,
        ratio_range: Sequence[float] = (0.5, 2.0),
        cat_max_ratio: float = 0.75,
        ignore_index: int = 255,
        flip_prob: float = 0.5,
        photometric: bool = True,
        fill: Sequence[int] = MEAN_COLOR,  # the recipe pads with 0 after the normalization
        extra: Sequence[A.BasicTransform] = (),
    ) -> None:
        height, width = as_size(size, option="data.train_transform.size")
        super().__init__(
            [
                RandomRatio(base_size, ratio_range),
                RandomVariedCrop((height, width), cat_max_ratio, ignore_index),
                A.HorizontalFlip(p=flip_prob),
                *([PhotometricDistortion()] if photometric else []),
                *extra,
                A.PadIfNeeded(height, width, position="top_left", fill=tuple(fill), fill_mask=ignore_index),
            ]
        )

    def __call__(self, *, image: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        changed = self.steps(image=image, mask=target)
        return {"image": changed["image"], "target": changed["mask"]}


class RandomRatio(A.DualTransform):
    """Scaling with the aspect kept, by a random ratio of the frame `base_size` or of
    the image's own size.
    """

    def __init__(self, base_size: Sequence[int] | None, ratio_range: Sequence[float]) -> None:
        super().__init__(p=1.0)
        self.base_size = None if base_size is None else as_size(base_size, option="data.train_transform.base_size")
        self.ratio_range = ratio_range

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        size = params["shape"][:2]
        scale = self.py_random.uniform(*self.ratio_range)
        if self.base_size is not None:
            # The frame is cut to whole pixels before the image is fitted in, as
            # mmsegmentation does.
            scale = fitting_scale(size, [int(side * scale) for side in self.base_size])
        return {"new_size": scaled(size, scale)[::-1]}  # OpenCV wants (width, height)

    def apply(self, img: np.ndarray, new_size: tuple[int, int], **_: Any) -> np.ndarray:
        return cv2.resize(img, new_size, interpolation=cv2.INTER_LINEAR)

    def apply_to_mask(self, mask: np.ndarray, new_size: tuple[int, int], **_: Any) -> np.ndarray:
        return cv2.resize(mask, new_size, interpolation=cv2.INTER_NEAREST)


class RandomVariedCrop(A.DualTransform):
    """A random crop, drawn again (ten times at most) while one class covers too much of
    it.

    A crop is kept if it shows more than one class and none covers `cat_max_ratio` of
    the labeled pixels or more. A side of the image that is shorter than the crop is
    left whole.
    """

    RETRIES = 10

    def __init__(self, size: Sequence[int], cat_max_ratio: float, ignore_index: int) -> None:
        super().__init__(p=1.0)
        self.size = tuple(size)
        self.cat_max_ratio = cat_max_ratio
        self.ignore_index = ignore_index

    @property
    def targets_as_params(self) -> list[str]:
        return ["mask"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        mask = data["mask"]
        window = self._window(mask.shape)
        for _ in range(self.RETRIES if self.cat_max_ratio < 1 else 0):
            if self._is_varied(mask[window]):
                break
            window = self._window(mask.shape)
        return {"window": window}

    def apply(self, img: np.ndarray, window: tuple[slice, slice], **_: Any) -> np.ndarray:
        return img[window]

    def apply_to_mask(self, mask: np.ndarray, window: tuple[slice, slice], **_: Any) -> np.ndarray:
        return mask[window]

    def _window(self, shape: Sequence[int]) -> tuple[slice, slice]:
        (height, width), (crop_height, crop_width) = shape, self.size
        top = self.py_random.randint(0, max(height - crop_height, 0))
        left = self.py_random.randint(0, max(width - crop_width, 0))
        return slice(top, top + crop_height), slice(left, left + crop_width)

    def _is_varied(self, labels: np.ndarray) -> bool:
        lowest = min(self.ignore_index, 0)  # bincount, ten times faster than unique, counts from 0
        counts = np.bincount(labels.ravel() - lowest, minlength=self.ignore_index - lowest + 1)
        counts[self.ignore_index - lowest] = 0
        return counts.max() < self.cat_max_ratio * counts.sum()  # false for one class alone, and for none


class PhotometricDistortion(A.ImageOnlyTransform):
    """Brightness, contrast, saturation and hue, each at random (SSD,
    https://arxiv.org/abs/1512.02325, section 2.2).

    Brightness moves by up to 32 of 255 either way, contrast and saturation are
    multiplied by 0.5..1.5, hue turns by up to 18 of OpenCV's 180 steps; each happens
    half of the time. Contrast comes before saturation and hue, or after them.
    """

    PROB = 0.5
    BRIGHTNESS = 32
    FACTORS = (0.5, 1.5)
    HUE = 18

    def __init__(self) -> None:
        super().__init__(p=1.0)

    def get_params(self) -> dict[str, Any]:
        draw = self.py_random
        return {
            "brightness": draw.uniform(-self.BRIGHTNESS, self.BRIGHTNESS) if draw.random() < self.PROB else 0.0,
            "contrast": draw.uniform(*self.FACTORS) if draw.random() < self.PROB else 1.0,
            "saturation": draw.uniform(*self.FACTORS) if draw.random() < self.PROB else 1.0,
            "hue": draw.randint(-self.HUE, self.HUE) if draw.random() < self.PROB else 0,
            "contrast_first": draw.random() < 0.5,
        }

    def apply(
        self,
        img: np.ndarray,
        brightness: float,
        contrast: float,
        saturation: float,
        hue: int,
        contrast_first: bool,
        **_: Any,
    ) -> np.ndarray:
        first, last = (contrast, 1.0) if contrast_first else (1.0, contrast)
        img = _look_up(img, _linear(_linear(LEVELS, 1.0, brightness), first))
        img = _turn_colors(img, saturation, hue)
        return _look_up(img, _linear(LEVELS, last))


def _linear(levels: np.ndarray, factor: float, offset: float = 0.0) -> np.ndarray:
    """256 gray levels -> the levels that replace them."""
    return np.clip(levels * factor + offset, 0, 255).astype(np.uint8)


def _look_up(image: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return image if np.array_equal(levels, LEVELS) else cv2.LUT(image, levels)


def _turn_colors(image: np.ndarray, saturation: float, hue: int) -> np.ndarray:
    if saturation == 1.0 and hue == 0:
        return image
    hues = ((LEVELS.astype(int) + hue) % 180).astype(np.uint8)
    table = np.stack([hues, _linear(LEVELS, saturation), LEVELS], axis=-1)
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table[:, None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
