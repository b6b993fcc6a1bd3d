"""Transforms for evaluation: the image, resized as a protocol says. Predictions go back
to the target's own size.

`at(ratio)` is the same transform for an image that is `ratio` times as large. Published
numbers depend on the resampling: mmsegmentation's on OpenCV's, those of torchvision,
timm and Hugging Face's processors on Pillow's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import cv2
import numpy as np
from PIL import Image

from pvtseg.data.transforms.sizes import as_size, fitting_scale, scaled
from pvtseg.errors import UserError
from pvtseg.interfaces import EvalTransform

Interpolation = Literal["bilinear", "bicubic"]


@runtime_checkable
class Scalable(EvalTransform, Protocol):
    """A transform with several sizes."""

    def at(self, ratio: float) -> EvalTransform:
        """The same transform for an image that is `ratio` times as large."""
        ...


class MultiScale:
    """The image as `transform` prepares it, and again at each of the ratios, each time
    resized from the original.

    -> {"image": at ratio 1, "views": [one image per ratio]}. Raises UserError for a
    transform that knows one size only.
    """

    def __init__(self, transform: EvalTransform, ratios: Sequence[float]) -> None:
        if not isinstance(transform, Scalable):
            raise UserError(
                f"data.eval_transform is {type(transform).__name__}, which has one size only; use inference=flip or "
                "inference=whole, or a transform with several sizes, such as "
                "data.eval_transform._target_=pvtseg.data.transforms.evaluation.Original."
            )
        if not ratios or min(ratios) <= 0:
            raise UserError(
                f"inference.ratios is {list(ratios)}; use one or more positive numbers, such as "
                "'inference.ratios=[0.5, 1.0, 1.5]'."
            )
        self.transform = transform
        self.transforms = [transform.at(ratio) for ratio in ratios]

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        views = [transform(image=image)["image"] for transform in self.transforms]
        return {**self.transform(image=image), "views": views}


class Original:
    """The image at its own size, or at `ratio` times that, resampled with OpenCV."""

    def __init__(self, *, ratio: float = 1.0) -> None:
        self.ratio = ratio

    def at(self, ratio: float) -> Original:
        return Original(ratio=ratio)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        return {"image": _resize_by_two_pixels(image, scaled(image.shape[:2], self.ratio))}


class Resize:
    """The image at `size` (height, width), whatever its aspect, as Hugging Face's
    processors resize it.
    """

    def __init__(self, size: int | Sequence[int], *, interpolation: Interpolation = "bilinear") -> None:
        self.size = as_size(size, option="data.eval_transform.size")
        self.interpolation: Interpolation = interpolation
        self.resampling = _resampling(interpolation)

    def at(self, ratio: float) -> Resize:
        return Resize(scaled(self.size, ratio), interpolation=self.interpolation)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        return {"image": _resize_by_area(image, self.size, self.resampling)}


class KeepRatio:
    """The image, fitted into the frame `base_size` (long, short) with its aspect.

    align: afterwards each side is stretched up to a multiple of it; the published
    SegFormer numbers were measured with 32. None leaves the sides unchanged. Resampled
    with OpenCV, as mmsegmentation does.
    """

    def __init__(self, base_size: Sequence[int], *, align: int | None = None) -> None:
        self.base_size = as_size(base_size, option="data.eval_transform.base_size")
        self.align = align or 1

    def at(self, ratio: float) -> KeepRatio:
        return KeepRatio([int(side * ratio) for side in self.base_size], align=self.align)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        size = image.shape[:2]
        image = _resize_by_two_pixels(image, scaled(size, fitting_scale(size, self.base_size)))
        # A second pass, because the published numbers were measured with two.
        image = _resize_by_two_pixels(image, [math.ceil(side / self.align) * self.align for side in image.shape[:2]])
        return {"image": image}


class ResizeCenterCrop:
    """The protocol of ImageNet: a center crop of `size`, from an image whose shorter
    side is `size` / `crop_pct`.

    PVTv2's authors use 0.875, timm 0.9; published accuracies depend on it.
    """

    def __init__(
        self, size: int | Sequence[int], *, crop_pct: float = 0.875, interpolation: Interpolation = "bicubic"
    ) -> None:
        if not 0 < crop_pct <= 1:
            raise UserError(
                f"data.eval_transform.crop_pct is {crop_pct}; use a fraction of the shorter side in 0..1, "
                "such as 0.875."
            )
        self.size = as_size(size, option="data.eval_transform.size")
        self.crop_pct = crop_pct
        self.resampling = _resampling(interpolation)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        image = _resize_by_area(image, self._covering_size(image.shape[:2]), self.resampling)
        (height, width), (crop_height, crop_width) = image.shape[:2], self.size
        top, left = round((height - crop_height) / 2), round((width - crop_width) / 2)
        return {"image": image[top : top + crop_height, left : left + crop_width]}

    def _covering_size(self, size: Sequence[int]) -> tuple[int, int]:
        """The smallest size of this aspect that covers size / crop_pct; both round
        down, as torchvision does.
        """
        height, width = size
        least_height, least_width = (int(side / self.crop_pct) for side in self.size)
        if height * least_width < width * least_height:
            return least_height, int(least_height * width / height)
        return int(least_width * height / width), least_width


def _resampling(interpolation: str) -> Image.Resampling:
    known = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    if interpolation not in known:
        raise UserError(f"data.eval_transform.interpolation is {interpolation!r}; use {' or '.join(known)}.")
    return known[interpolation]


def _resize_by_area(image: np.ndarray, size: Sequence[int], resampling: Image.Resampling) -> np.ndarray:
    """Resized with Pillow, which averages all pixels that shrink into one."""
    if image.shape[:2] == tuple(size):
        return image
    height, width = size
    return np.array(Image.fromarray(image).resize((width, height), resampling))


def _resize_by_two_pixels(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resized with OpenCV, which takes the two nearest pixels along each side whatever
    the scale.
    """
    if image.shape[:2] == tuple(size):
        return image
    height, width = size
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
