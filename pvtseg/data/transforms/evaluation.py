"""The image that a model is asked about, resized as a protocol says. Its answers go back to the target's own size.

`at(ratio)` is the same transform for a model that is asked at several scales: the image that it makes is `ratio` times as large.
Published numbers hang on the resampling: mmsegmentation's on OpenCV's, those of torchvision, timm and Hugging Face's
processors on Pillow's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image

from pvtseg.data.transforms.sizes import as_size, fitting_scale, scaled
from pvtseg.errors import UserError
from pvtseg.interfaces import Transform

Interpolation = Literal["bilinear", "bicubic"]


class MultiScale:
    """What `transform` makes of the image at each of the ratios: a list of images, each resized from the original.

    Raises UserError for a transform that knows one size only.
    """

    def __init__(self, transform: Transform, ratios: Sequence[float]) -> None:
        if not hasattr(transform, "at"):
            raise UserError(
                f"the images are prepared by {type(transform).__name__}, which has one size only; use inference=flip or whole, "
                "or a data.eval_transform with several sizes, such as pvtseg.data.transforms.evaluation.KeepRatio."
            )
        if not ratios or min(ratios) <= 0:
            raise UserError(
                f"inference.ratios is {list(ratios)}; wanted are one or more positive numbers, such as [0.5, 1.0, 1.5]."
            )
        self.transforms = [transform.at(ratio) for ratio in ratios]

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        return {"image": [transform(image=image)["image"] for transform in self.transforms]}


class Original:
    """The image at its own size, or at `ratio` times that, resampled with OpenCV."""

    def __init__(self, *, ratio: float = 1.0) -> None:
        self.ratio = ratio

    def at(self, ratio: float) -> Original:
        return Original(ratio=ratio)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        return {"image": _resize_by_two_pixels(image, scaled(image.shape[:2], self.ratio))}


class Resize:
    """Squashes the image to `size` (height, width), whatever its aspect, as Hugging Face's processors do."""

    def __init__(self, size: int | Sequence[int], *, interpolation: Interpolation = "bilinear") -> None:
        self.size = as_size(size)
        self.interpolation = interpolation
        self.resampling = _resampling(interpolation)

    def at(self, ratio: float) -> Resize:
        return Resize(scaled(self.size, ratio), interpolation=self.interpolation)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        return {"image": _resize_by_area(image, self.size, self.resampling)}


class KeepRatio:
    """Fits the image into the frame `base_size` (long, short) and keeps its aspect.

    align: afterwards each side is stretched up to a multiple of it; the published SegFormer numbers were measured with
    32. None leaves the sides as they are. Resampled with OpenCV, as mmsegmentation does.
    """

    def __init__(self, base_size: Sequence[int], *, align: int | None = None) -> None:
        self.base_size = as_size(base_size, option="base_size")
        self.align = align or 1

    def at(self, ratio: float) -> KeepRatio:
        return KeepRatio([int(side * ratio) for side in self.base_size], align=self.align)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        size = image.shape[:2]
        image = _resize_by_two_pixels(image, scaled(size, fitting_scale(size, self.base_size)))
        # A second pass, and not one to the final size, because the published numbers were measured so.
        image = _resize_by_two_pixels(image, [math.ceil(side / self.align) * self.align for side in image.shape[:2]])
        return {"image": image}


class ResizeCenterCrop:
    """The protocol of ImageNet: shrinks the image until `size`, cut from its center, is `crop_pct` of the shorter side.

    PVTv2's authors use 0.875, timm 0.9; the published accuracies differ by it.
    """

    def __init__(self, size: int | Sequence[int], *, crop_pct: float = 0.875, interpolation: Interpolation = "bicubic") -> None:
        if not 0 < crop_pct <= 1:
            raise UserError(f"crop_pct is {crop_pct}; wanted is a share of the shorter side in 0..1, such as 0.875")
        self.size = as_size(size)
        self.crop_pct = crop_pct
        self.resampling = _resampling(interpolation)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        image = _resize_by_area(image, self._covering_size(image.shape[:2]), self.resampling)
        (height, width), (crop_height, crop_width) = image.shape[:2], self.size
        top, left = round((height - crop_height) / 2), round((width - crop_width) / 2)
        return {"image": image[top : top + crop_height, left : left + crop_width]}

    def _covering_size(self, size: Sequence[int]) -> tuple[int, int]:
        """The smallest size of this aspect that covers size / crop_pct; both round down, as torchvision does."""
        height, width = size
        least_height, least_width = (int(side / self.crop_pct) for side in self.size)
        if height * least_width < width * least_height:
            return least_height, int(least_height * width / height)
        return int(least_width * height / width), least_width


def _resampling(interpolation: str) -> Image.Resampling:
    known = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    if interpolation not in known:
        raise UserError(f"interpolation is {interpolation!r}; wanted is {' or '.join(known)}")
    return known[interpolation]


def _resize_by_area(image: np.ndarray, size: Sequence[int], resampling: Image.Resampling) -> np.ndarray:
    """With Pillow, which averages all pixels that shrink into one."""
    if image.shape[:2] == tuple(size):
        return image
    height, width = size
    return np.array(Image.fromarray(image).resize((width, height), resampling))


def _resize_by_two_pixels(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """With OpenCV, which takes the two nearest pixels along each side whatever the scale."""
    if image.shape[:2] == tuple(size):
        return image
    height, width = size
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
