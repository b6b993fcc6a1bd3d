"""Bilinear upsampling in bands of rows: the whole upsampled map never exists.

Bilinear interpolation (https://en.wikipedia.org/wiki/Bilinear_interpolation) is separable: mix neighboring rows of the
coarse map, then widen them. So a band of the upsampled map needs only the few coarse rows around it, and mixing them is
one small matrix product. Channels come last here, so that what follows at each pixel, a softmax or a product, reads
memory in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional as F

from pvtseg.layers.resize import resize

if TYPE_CHECKING:
    from torch import Tensor

CPU_BAND_BYTES = 4 << 20  # smaller bands stay in the cache, larger ones wait less often for a core that is busy elsewhere
GPU_BAND_BYTES = 256 << 20  # few, large kernels


class Band(NamedTuple):
    """Some rows of an upsampled map, and how to make them from the coarse map.

    rows: which of the upsampled map. sources: which rows of the coarse map they lie between. mixing (rows, sources):
    how much of each. width: of the upsampled map.
    """

    rows: slice
    sources: slice
    mixing: Tensor
    width: int

    def upsample(self, coarse: Tensor) -> Tensor:
        """The `sources` of the coarse map, (sources, w, C) -> these rows, (rows, width, C). Differentiable."""
        mixed = (self.mixing @ coarse.flatten(1)).unflatten(1, coarse.shape[1:])
        mixed = mixed.transpose(1, 2).unsqueeze(2)  # (rows, C, 1, w): torch widens a batch of rows in parallel
        return resize(mixed, (1, self.width)).squeeze(2).transpose(1, 2)


def bands(coarse: Tensor, size: tuple[int, int]) -> Iterator[Band]:
    """Cuts one image's map of `size` (height, width) into bands that fit the memory, top to bottom.

    coarse: what will be upsampled, (B, C, h, w); only its shape, type and device matter.
    """
    num_channels, coarse_height = coarse.shape[1:3]
    height, width = size
    budget = CPU_BAND_BYTES if coarse.device.type == "cpu" else GPU_BAND_BYTES
    dtype = accurate_type(coarse)
    mixing = interpolation_matrix(coarse_height, height, dtype)
    num_rows = max(budget // (width * num_channels * dtype.itemsize), 1)
    for start in range(0, height, num_rows):
        rows = slice(start, min(start + num_rows, height))
        used = mixing[rows].any(dim=0).nonzero()
        sources = slice(int(used[0]), int(used[-1]) + 1)
        yield Band(rows, sources, mixing[rows, sources].to(coarse.device), width)


def accurate_type(maps: Tensor) -> torch.dtype:
    """What to compute in: float32 for half precision, else the map's own type."""
    return torch.promote_types(maps.dtype, torch.float32)


def channels_last(image_map: Tensor) -> Tensor:
    """One map (C, h, w) as (h, w, C), contiguous, in `accurate_type`."""
    return image_map.permute(1, 2, 0).to(accurate_type(image_map)).contiguous()


def interpolation_matrix(length: int, new_length: int, dtype: torch.dtype) -> Tensor:
    """(new_length, length): torch's own linear interpolation, as the matrix that it is."""
    identity = torch.eye(length, dtype=dtype)
    return F.interpolate(identity[None], size=new_length, mode="linear", align_corners=False)[0].T.contiguous()
