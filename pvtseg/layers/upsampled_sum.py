"""The sum of maps of several resolutions, at the resolution of the finest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pvtseg.layers.resize import resize
from pvtseg.layers.row_chunks import chunks_pay, upsampled_row_chunks
from pvtseg.layers.upsampling import channels_last


def upsampled_sum(maps: Sequence[Tensor]) -> Tensor:
    """The sum of maps (B, C, h, w), each upsampled to the size of the first."""
    finest, *coarser = maps
    size = finest.shape[-2:]
    return sum((resize(each, size) for each in coarser), start=finest)


def of_upsampled_sum(function: Callable[[Tensor], Tensor], maps: Sequence[Tensor]) -> Tensor:
    """function(upsampled_sum(maps)), for a function of single pixels: (B, C, H, W) ->
    (B, C', H, W).

    Without gradients, on a CPU, the function is applied to chunks of rows. The sum, the
    largest tensor of a head, then never exists. A sum of half precision is computed in
    float32 and rounded once.
    """
    if len(maps) == 1 or torch.is_grad_enabled() or not chunks_pay(maps[0]):
        return function(upsampled_sum(maps))
    finest, *coarser = maps
    chunks = list(
        zip(*(upsampled_row_chunks(each, finest.shape[-2:]) for each in coarser), strict=True)
    )  # the same rows
    images = []
    for image, *others in zip(*maps, strict=True):
        image, *others = map(channels_last, (image, *others))
        results = []
        for same_rows in chunks:
            total = image[same_rows[0].rows].clone()
            for other, chunk in zip(others, same_rows, strict=True):
                total += chunk.upsample(other[chunk.sources])
            results.append(function(total.to(finest.dtype).permute(2, 0, 1).unsqueeze(0)))
        images.append(torch.cat(results, dim=2))
    return torch.cat(images)
