"""Maps of several resolutions, added up at that of the finest."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pvtseg.layers.resize import resize
from pvtseg.layers.row_chunks import pays_in_bands
from pvtseg.layers.upsampling import bands, channels_last


def add_upsampled(maps: Sequence[Tensor]) -> Tensor:
    """The sum of maps (B, C, h, w), each upsampled to the size of the first."""
    finest, *coarser = maps
    size = finest.shape[-2:]
    return sum((resize(each, size) for each in coarser), start=finest)


def from_upsampled_sum(function: Callable[[Tensor], Tensor], maps: Sequence[Tensor]) -> Tensor:
    """function(add_upsampled(maps)), where the function, (B, C, H, W) -> (B, C', H, W), looks at each pixel for itself.

    Without gradients, on the CPU, it sees bands of rows, so that the sum, the largest thing in a head, never exists.
    """
    if torch.is_grad_enabled() or not pays_in_bands(maps[0]):
        return function(add_upsampled(maps))
    finest, *coarser = maps
    cut = list(zip(*(bands(each, finest.shape[-2:]) for each in coarser), strict=True))  # the same rows of every map
    images = []
    for image, *others in zip(*maps, strict=True):
        image, *others = map(channels_last, (image, *others))
        strips = []
        for strip in cut:
            total = image[strip[0].rows].clone()
            for other, band in zip(others, strip, strict=True):
                total += band.upsample(other[band.sources])
            strips.append(function(total.permute(2, 0, 1).unsqueeze(0)))
        images.append(torch.cat(strips, dim=2))
    return torch.cat(images)
