"""The image in overlapping windows, for images larger than the model was trained on.

The windows lie where mmsegmentation's `slide` mode puts them (https://github.com/open-mmlab/mmsegmentation, encoder_decoder.py):
one every `stride` pixels, the last one moved back inside the image.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.inference.blending import Blend, profile
from pvtseg.interfaces import Model
from pvtseg.layers.resize import resize


class SlidingWindow:
    """Asks the model window by window and averages where windows overlap.

    Image (B, C, H, W) -> the head's answer at the head's own resolution, (B, K, H / 4, W / 4) for segmentation. Upsampling is
    linear, so that averaging before it is averaging after it, at a sixteenth of the memory; only at the windows' edges do the
    two differ: there the number of windows changes within a cell of 4 pixels, and each window's own upsampling ends.

    grid: pixels along a cell of the averages. Windows begin on it, so that the answers of all fall on one grid. 4 is the stride
    of the finest map; 1 averages at every pixel, to the digit what mmsegmentation does, and takes sixteen times the memory.

    window, stride: one side or (height, width), pixels; an image that is smaller than a window is one window, and the answer
    that of the whole image. batch_size: how many windows go through the model at once. blend: "even" counts all pixels of a
    window alike, as the published numbers do; "hann" and "gaussian" trust its middle more, which hides the seams.
    accumulate_on: a device for the averages, "cpu" for images whose class scores do not fit the GPU; null keeps the image's.
    Raises UserError for a stride that leaves gaps, and for a model that answers for the image as a whole.
    """

    def __init__(
        self,
        window: int | Sequence[int],
        *,
        stride: int | Sequence[int],
        batch_size: int = 4,
        blend: Literal["even", "hann", "gaussian"] = "even",
        accumulate_on: str | None = None,
        grid: Literal[1, 4] = 4,
    ) -> None:
        if grid not in (1, 4):
            raise UserError(f"inference.grid is {grid}; use 4, the stride of the finest map, or 1 for every pixel.")
        self.window = _sides(window, "window")
        self.stride = _sides(stride, "stride")
        for side, step in zip(self.window, self.stride, strict=True):
            if side % grid:
                raise UserError(f"a window of {side} does not lie on the grid; use a multiple of {grid}.")
            if step > side:
                raise UserError(f"stride {step} leaves gaps between windows of {side}; use a stride of at most {side}.")
        if batch_size < 1:
            raise UserError(f"inference.batch_size is {batch_size}; use 1 or more.")
        self.profile = profile(blend)
        self.blend = blend
        self.batch_size = batch_size
        self.accumulate_on = accumulate_on
        self.grid = grid

    @property
    def protocol(self) -> str:
        """The name of this way to ask, for whoever compares numbers."""
        window, stride = (" x ".join(map(str, sides)) for sides in (self.window, self.stride))
        weights = "" if self.blend == "even" else f" with {self.blend} weights"
        places = "at every pixel" if self.grid == 1 else f"every {self.grid} pixels"
        return f"sliding window {window}, stride {stride}, averaged{weights} {places}"

    def __call__(self, model: Model, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        image = F.pad(image, (0, -width % self.grid, 0, -height % self.grid))  # at most as the encoder's first convolution
        size = tuple(image.shape[-2:])
        window = tuple(map(min, self.window, size))
        cells = tuple(side // self.grid for side in window)
        places = list(itertools.product(*map(starts, size, window, self.stride, (self.grid, self.grid))))
        blended = Blend(size, window, self.profile, self.accumulate_on or image.device)
        for i in range(0, len(places), self.batch_size):
            some = places[i : i + self.batch_size]
            crops = torch.cat([image[..., top : top + window[0], left : left + window[1]] for top, left in some])
            answers = _on_grid(model.answer(crops), cells)
            for place, answer in zip(some, answers.split(len(image)), strict=True):
                blended.add(place, answer)
        return blended.mean()


def starts(length: int, window: int, stride: int, grid: int = 4) -> list[int]:
    """Where the windows along one side begin. length, window: multiples of grid, window <= length; stride <= window."""
    last = length - window
    return [min(start, last) // grid * grid for start in range(0, last + stride, stride)]


def _on_grid(answers: Tensor, least: tuple[int, int]) -> Tensor:
    """Answers at least as fine as the grid; coarser ones are upsampled."""
    if answers.ndim != 4:
        raise UserError("the model answers for the image as a whole, not for its pixels; use inference=whole.")
    return answers if answers.shape[-2] >= least[0] else resize(answers, least)


def _sides(value: int | Sequence[int], option: str) -> tuple[int, int]:
    sides = (value, value) if isinstance(value, int) else tuple(value)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UserError(f"inference.{option} is {value}; wanted are one or two sides in pixels, such as [512, 512].")
    return sides
