"""Bilinear resizing with pixel centers at halves (align_corners=False), as in the
papers' code.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (B, C, H, W) at another (height, width). Maps that already have this size
    are returned unchanged.
    """
    if maps.shape[-2:] == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
