"""Projecting and fusing maps of several resolutions, before they are upsampled.

SegFormer projects each map, upsamples, concatenates and then fuses with a 1 x 1
convolution. A 1 x 1 convolution commutes with bilinear upsampling. So each map is fused
at its own resolution and added up afterwards: the same function for 5 to 12 times less
work.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.layers.tokens import to_maps, to_tokens


class FusedProjection(nn.Module):
    """A map's projection to the common width and its columns of the fusing 1 x 1
    convolution, as one product.

    Two linear layers in a row are one, so their small weights are multiplied before
    they meet the many tokens. Maps (B, in_channels, H, W) -> (B, channels, H, W).
    scale: factors (channels,) of the result.
    """

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.project = nn.Linear(in_channels, channels)
        self.fuse = nn.Linear(channels, channels, bias=False)

    def forward(self, maps: Tensor, scale: Tensor | None = None) -> Tensor:
        fuse = self.fuse.weight if scale is None else scale[:, None] * self.fuse.weight
        return to_maps(F.linear(to_tokens(maps), fuse @ self.project.weight, fuse @ self.project.bias))


def normalized_projections(branches: nn.ModuleList, norm: nn.BatchNorm2d, features: Sequence[Tensor]) -> list[Tensor]:
    """Maps whose upsampled sum is `norm` of the upsampled sum of the branches' maps, in
    evaluation.

    A norm in evaluation scales and shifts by known numbers. The scale goes into the
    projections. The shift is a constant, which upsampling does not change, so it is
    added to the coarsest map, where that is cheapest.
    """
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.bias - scale * norm.running_mean
    *finer, coarsest = (branch(maps, scale) for branch, maps in zip(branches, features, strict=True))
    return [*finer, coarsest + shift[:, None, None]]
