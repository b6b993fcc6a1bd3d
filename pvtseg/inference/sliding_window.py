"""The image in overlapping windows, for images larger than the model was trained on.

The windows lie where mmsegmentation's `slide` mode puts them
(https://github.com/open-mmlab/mmsegmentation, encoder_decoder.py): one every `stride`
pixels, the last one moved back inside the image.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from pvtseg.errors import UserError
from pvtseg.inference.blending import Blend, importance_map
from pvtseg.layers.resize import resize

if TYPE_CHECKING:
    from torch import nn

    from pvtseg.interfaces import Batch, Outputs, Size


class SlidingWindow:
    """The weighted mean of the outputs of overlapping windows.

    Image (B, C, H, W) -> outputs (B, K, H / grid, W / grid).

    window, stride: one side or (height, width), in pixels. A window is cut to the image
    where the image is smaller; one window gives the outputs of the whole image.
    grid: pixels between the points at which outputs are averaged. 4 is the stride of
    SegFormer's logits and needs 1/16 of the memory. Because upsampling is linear it
    equals mmsegmentation's result except within 4 pixels of a window border. 1 averages
    at every pixel and is exact. 4 falls back to 1 if a window does not begin and end on
    the grid.
    batch_size: windows in one forward pass.
    blend: "uniform" weights all pixels of a window alike, as published numbers do;
    "hann" and "gaussian" weight the middle of a window more, which hides the seams.
    accumulate_on: the device of the averages: "cpu" for images whose logits do not fit
    the GPU, None for the image's.
    Raises UserError for a stride that leaves gaps, and for a model whose outputs are
    not maps.
    """

    ratios = None

    def __init__(
        self,
        window: int | Sequence[int],
        *,
        stride: int | Sequence[int],
        batch_size: int = 4,
        blend: Literal["uniform", "hann", "gaussian"] = "uniform",
        accumulate_on: str | None = None,
        grid: Literal[1, 4] = 4,
    ) -> None:
        if grid not in (1, 4):
            raise UserError(f"inference.grid is {grid}; use 4, the stride of SegFormer's logits, or 1 for every pixel.")
        self.window = _sides(window, "window")
        self.stride = _sides(stride, "stride")
        for side, step in zip(self.window, self.stride, strict=True):
            if step > side:
                raise UserError(f"inference.stride={step} leaves gaps between windows of {side}; use at most {side}.")
        if batch_size < 1:
            raise UserError(f"inference.batch_size is {batch_size}; use 1 or more.")
        self.weights = importance_map(blend)
        self.blend = blend
        self.batch_size = batch_size
        self.accumulate_on = accumulate_on
        self.grid = grid

    @property
    def protocol(self) -> str:
        window, stride = (" x ".join(map(str, sides)) for sides in (self.window, self.stride))
        weights = "" if self.blend == "uniform" else f" with {self.blend} weights"
        points = "at every pixel" if self.grid == 1 else f"every {self.grid} pixels"
        return f"sliding window {window}, stride {stride}, averaged{weights} {points}"

    def __call__(self, model: nn.Module, batch: Batch) -> list[Outputs]:
        image = batch["image"]
        size = (image.shape[-2], image.shape[-1])
        window = (min(self.window[0], size[0]), min(self.window[1], size[1]))
        rows, columns = (starts(*sides) for sides in zip(size, window, self.stride, strict=True))
        if len(rows) == len(columns) == 1:
            return [_maps(model(image))]
        step = self.grid if math.gcd(*window, *rows, *columns) % self.grid == 0 else 1
        points = (window[0] // step, window[1] // step)
        blend = Blend(size, window, self.weights, self.accumulate_on or image.device)
        for offsets in _batched(list(itertools.product(rows, columns)), self.batch_size):
            crops = torch.cat([image[..., top : top + window[0], left : left + window[1]] for top, left in offsets])
            for offset, output in zip(offsets, _maps(model(crops)).split(len(image)), strict=True):
                blend.add(offset, _on_points(output, points, window))
        return [blend.mean()]


def starts(length: int, window: int, stride: int) -> list[int]:
    """The first pixel of each window along one side; window <= length, stride <= window."""
    last = length - window
    return [min(start, last) for start in range(0, last + stride, stride)]


def _batched(offsets: list[Size], size: int) -> list[list[Size]]:
    return [offsets[first : first + size] for first in range(0, len(offsets), size)]


def _maps(outputs: Outputs) -> Tensor:
    if not isinstance(outputs, Tensor) or outputs.ndim != 4:
        seen = f"of shape {tuple(outputs.shape)}" if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
        raise UserError(
            f"sliding windows average maps (B, K, h, w), and the model's outputs are {seen}; use inference=whole."
        )
    return outputs


def _on_points(output: Tensor, points: Size, window: Size) -> Tensor:
    """The output at the points at which windows are averaged, or at a multiple of them
    where it is finer.
    """
    cells = (
        min(math.ceil(count / wanted) * wanted, side)
        for count, wanted, side in zip(output.shape[-2:], points, window, strict=True)
    )
    return resize(output, tuple(cells))


def _sides(value: int | Sequence[int], option: str) -> Size:
    sides = (value, value) if isinstance(value, int) else tuple(value)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UserError(f"inference.{option} is {value}; expected one or two sides in pixels, such as [512, 512].")
    return sides[0], sides[1]
