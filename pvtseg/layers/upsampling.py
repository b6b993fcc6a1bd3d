"""Bilinear upsampling of chosen rows and pixels, so that the whole upsampled map never
exists.

Bilinear interpolation (https://en.wikipedia.org/wiki/Bilinear_interpolation) is
separable: a row of the result mixes two neighboring rows of the map, then the columns
are mixed in the same way. Channels come last, because what follows at each pixel, a
softmax or a product, then reads memory in order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from pvtseg.layers.constants import device_constant
from pvtseg.layers.precision import accurate_type

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["channels_last", "mixing_matrix", "neighbors", "source_rows"]


def channels_last(image_map: Tensor) -> Tensor:
    """One map (C, h, w) as (h, w, C), contiguous, in `accurate_type`."""
    return image_map.permute(1, 2, 0).to(accurate_type(image_map)).contiguous()


def neighbors(length: int, new_length: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The two old positions that each new one lies between, (new_length, 2) int64, and
    their weights, (new_length, 2).

    At the ends both are the same position, and the second weight is 0.
    """
    lower, weight = interpolation(length, new_length, dtype, device)
    lower = lower.long()
    return torch.stack([lower, (lower + 1).clamp_max(length - 1)], dim=1), torch.stack([1 - weight, weight], dim=1)


def source_rows(length: int, new_length: int, rows: slice) -> slice:
    """The old rows that the new `rows` are mixed from."""
    lower = _lower_neighbors(length, new_length)
    return slice(int(lower[rows.start]), min(int(lower[rows.stop - 1]) + 2, length))


def mixing_matrix(length: int, new_length: int, rows: slice, sources: slice, like: Tensor) -> Tensor:
    """The (rows, sources) matrix that mixes the new rows from the old ones, in
    `accurate_type` on the map's device.
    """
    lower, weight = interpolation(length, new_length, accurate_type(like), like.device)[:, rows].unsqueeze(2)
    source = torch.arange(sources.start, sources.stop, device=like.device)
    return (source == lower) * (1 - weight) + (source == lower + 1) * weight


@device_constant
def interpolation(length: int, new_length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Linear interpolation as a table (2, new_length): the lower neighbor of each new
    position, the upper one's weight.

    The weights are torch's own, rounding included. They are read off three interpolated
    combs: of two neighbors no two have the same remainder modulo 3, so each comb holds
    the weight of one of them.
    """
    lower = _lower_neighbors(length, new_length)
    remainder = torch.arange(3, device="cpu")
    combs = (torch.arange(length, device="cpu") % 3 == remainder[:, None]).to(dtype)
    weights = F.interpolate(combs[None], size=new_length, mode="linear", align_corners=False)[0]
    upper_weight = weights.gather(0, (lower + 1)[None] % 3)[0]
    return torch.stack([lower.to(dtype), upper_weight]).to(device)


@lru_cache(maxsize=256)
def _lower_neighbors(length: int, new_length: int) -> Tensor:
    with torch.inference_mode(False):
        ramp = torch.arange(length, dtype=torch.float64, device="cpu")
        position = F.interpolate(ramp[None, None], size=new_length, mode="linear", align_corners=False)[0, 0]
        return position.floor().long()
