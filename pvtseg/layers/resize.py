"""Bilinear resizing of maps, with pixel centers at halves (align_corners=False), as the papers' code does it."""

from torch import Tensor
from torch.nn import functional as F


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, C, H, W) at another (height, width); returned as they are when they have it already."""
    if maps.shape[-2:] == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
