"""Hugging Face's image processors: an image at the size that a model expects, by
torchvision's antialiased filters.

They differ from Pillow's by one level of 255 in one of a hundred pixels, which is
enough to change a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from pvtseg.data.transforms.sizes import as_size, scaled

# Filters that torchvision lacks for tensors; it has Lanczos since 0.27.
PILLOW = {"box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING}
if tuple(int(number) for number in torchvision.__version__.split(".")[:2]) < (0, 27):
    PILLOW["lanczos"] = Image.Resampling.LANCZOS


class Squash:
    """The image at `size` (height, width), whatever its aspect: SegFormer's and PVT
    v2's processors.
    """

    def __init__(self, size: int | Sequence[int], *, interpolation: str = "bilinear") -> None:
        self.size = as_size(size, option="data.eval_transform.size")
        self.interpolation = interpolation

    def at(self, ratio: float) -> Squash:
        return Squash(scaled(self.size, ratio), interpolation=self.interpolation)

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        return {"image": _resize(image, self.size, self.interpolation)}


class RoundDown:
    """The image with sides rounded down to a multiple, and at least one multiple:
    GLPN's processor.
    """

    def __init__(self, multiple: int = 32, *, interpolation: str = "bilinear") -> None:
        self.multiple = multiple
        self.interpolation = interpolation

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        size = [max(side // self.multiple, 1) * self.multiple for side in image.shape[:2]]
        return {"image": _resize(image, size, self.interpolation)}


class ShortestEdge:
    """The image with `edge` as shorter side, less where the longer would pass
    `longest`; then a center crop.
    """

    def __init__(
        self,
        edge: int,
        *,
        longest: int | None = None,
        crop: Sequence[int] | None = None,
        interpolation: str = "bilinear",
    ) -> None:
        self.edge = edge
        self.longest = longest
        self.crop = None if crop is None else as_size(crop, option="data.eval_transform.crop")
        self.interpolation = interpolation

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]:
        image = _resize(image, self._size(image.shape[:2]), self.interpolation)
        if self.crop is not None:
            top, left = (max(side - wanted, 0) // 2 for side, wanted in zip(image.shape[:2], self.crop, strict=True))
            image = image[top : top + self.crop[0], left : left + self.crop[1]]
        return {"image": image}

    def _size(self, size: Sequence[int]) -> list[int]:
        short, long = min(size), max(size)
        edge: float = self.edge
        if self.longest is not None and edge * long / short > self.longest:
            edge = self.longest * short / long
        return [round(edge) if side == short else int(edge * side / short) for side in size]


def _resize(image: np.ndarray, size: Sequence[int], interpolation: str) -> np.ndarray:
    """(H, W, 3) uint8 -> `size` (height, width)."""
    if interpolation in PILLOW:
        height, width = size
        return np.array(Image.fromarray(image).resize((width, height), PILLOW[interpolation]))
    maps = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    resized = vision.resize(maps, list(size), InterpolationMode(interpolation), antialias=True)
    return resized.permute(1, 2, 0).numpy()
