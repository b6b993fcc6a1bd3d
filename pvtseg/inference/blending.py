"""The weighted mean of outputs of overlapping windows.

Gaussian weights as nnU-Net has them (https://arxiv.org/abs/1809.10486): a deviation of
an eighth of the window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pvtseg.errors import UserError
from pvtseg.layers.precision import accurate_type

if TYPE_CHECKING:
    from pvtseg.interfaces import Size

ImportanceMap = Callable[[int], Tensor]  # the number of cells along a side -> their weights, all positive


def uniform(length: int) -> Tensor:
    """Equal weights."""
    return torch.ones(length)


def hann(length: int) -> Tensor:
    """Weights from nearly 0 at the edges to 1 in the middle; two windows that overlap
    by half add up to 1.
    """
    return torch.sin(math.pi * (torch.arange(length) + 0.5) / length) ** 2


def gaussian(length: int) -> Tensor:
    """A Gaussian with a deviation of an eighth of the side, at least 0.001 because some
    pixels lie in one corner only.
    """
    distance = torch.arange(length) + 0.5 - length / 2
    return torch.exp(-0.5 * (distance / (length / 8)) ** 2).clamp_min(1e-3)


IMPORTANCE_MAPS: dict[str, ImportanceMap] = {"uniform": uniform, "hann": hann, "gaussian": gaussian}


def importance_map(name: str) -> ImportanceMap:
    """The weights of that name. Raises UserError for an unknown one."""
    if name not in IMPORTANCE_MAPS:
        raise UserError(f"inference.blend is {name!r}; use {', '.join(IMPORTANCE_MAPS)}.")
    return IMPORTANCE_MAPS[name]


class Blend:
    """The running sum of window outputs and of their weights.

    size, window: (height, width) of the image and of a window, in pixels. Outputs (B,
    K, h, w) may be coarser than the pixels by any whole factor that divides every
    window's offset. device: where the sums are kept.
    """

    def __init__(self, size: Size, window: Size, weights: ImportanceMap, device: torch.device | str) -> None:
        self.size = size
        self.window = window
        self.weights_of = weights
        self.device = device
        self.sums: Tensor | None = None  # allocated with the first output, whose channels and resolution it has

    def add(self, offset: Size, output: Tensor) -> None:
        """Adds the output of the window that begins at `offset`, (top, left) in pixels."""
        if self.sums is None:
            self.sums = self._allocate(output)
        rows, columns = (
            slice(start * cells // pixels, start * cells // pixels + cells)
            for start, cells, pixels in zip(offset, output.shape[-2:], self.window, strict=True)
        )
        self.sums[..., rows, columns] += output.to(self.sums) * self.weights
        self.total[rows, columns] += self.weights

    def mean(self) -> Tensor:
        """The weighted mean (B, K, h, w). The sums are overwritten."""
        assert self.sums is not None, "a blend has at least one window"
        return self.sums.div_(self.total)

    def _allocate(self, output: Tensor) -> Tensor:
        batch, channels, *cells = output.shape
        height, width = (
            side * count // pixels for side, count, pixels in zip(self.size, cells, self.window, strict=True)
        )
        options = {"dtype": accurate_type(output), "device": self.device}
        self.total = torch.zeros(height, width, **options)
        self.weights = torch.outer(*(self.weights_of(count) for count in cells)).to(**options)
        # channels last, because the argmax then need not copy what may be the largest
        # tensor in memory
        return torch.empty(batch, channels, height, width, memory_format=torch.channels_last, **options).zero_()
