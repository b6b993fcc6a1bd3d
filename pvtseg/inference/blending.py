"""The weighted mean of answers that overlap.

Gaussian weights as nnU-Net has them (https://arxiv.org/abs/1809.10486): a deviation of an eighth of the window.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pvtseg.errors import UserError
from pvtseg.layers.upsampling import accurate_type

Profile = Callable[[int], Tensor]  # the number of cells along a side -> their weights, all positive


def even(length: int) -> Tensor:
    """All alike."""
    return torch.ones(length)


def hann(length: int) -> Tensor:
    """A wave from nearly 0 at the edges to 1 in the middle; two that overlap by half add up to 1."""
    return torch.sin(math.pi * (torch.arange(length) + 0.5) / length) ** 2


def gaussian(length: int) -> Tensor:
    """A bell with a deviation of an eighth of the side, and a floor, for pixels that only one window's corner sees."""
    distance = torch.arange(length) + 0.5 - length / 2
    return torch.exp(-0.5 * (distance / (length / 8)) ** 2).clamp_min(1e-3)


PROFILES: dict[str, Profile] = {"even": even, "hann": hann, "gaussian": gaussian}


def profile(name: str) -> Profile:
    """The weights of that name."""
    if name not in PROFILES:
        raise UserError(f"blend={name!r} is not known; use {', '.join(PROFILES)}.")
    return PROFILES[name]


class Blend:
    """Adds up the answers of windows and divides by their weights.

    size, window: (height, width) in pixels of the image and of a window. The answers, (B, K, h, w), may be coarser than the
    pixels by any whole factor that the windows' places are multiples of.
    """

    def __init__(self, size: tuple[int, int], window: tuple[int, int], profile: Profile, device: torch.device | str) -> None:
        self.size = size
        self.window = window
        self.profile = profile
        self.device = device
        self.scores: Tensor | None = None  # made with the first answer, which tells the channels and the resolution

    def add(self, place: tuple[int, int], answer: Tensor) -> None:
        """The answer of the window that begins at `place`, (top, left) in pixels."""
        if self.scores is None:
            self._begin(answer)
        rows, columns = (
            slice(start * cells // pixels, start * cells // pixels + cells)
            for start, cells, pixels in zip(place, answer.shape[-2:], self.window, strict=True)
        )
        self.scores[..., rows, columns] += answer.to(self.scores) * self.weights
        self.total[rows, columns] += self.weights

    def mean(self) -> Tensor:
        """(B, K, h, w); the sums are used up."""
        return self.scores.div_(self.total)

    def _begin(self, answer: Tensor) -> None:
        batch, channels, *cells = answer.shape
        height, width = (side * count // pixels for side, count, pixels in zip(self.size, cells, self.window, strict=True))
        options = {"dtype": accurate_type(answer), "device": self.device}
        # channels last, as the argmax wants them: it need not copy what may be the largest thing in memory
        self.scores = torch.empty(batch, channels, height, width, memory_format=torch.channels_last, **options).zero_()
        self.total = torch.zeros(height, width, **options)
        self.weights = torch.outer(*(self.profile(count) for count in cells)).to(**options)
