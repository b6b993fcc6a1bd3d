"""The all-MLP decoder of SegFormer (https://arxiv.org/abs/2105.15203, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.interfaces import Features, Size
from pvtseg.layers.upsampled_sum import add_upsampled, from_upsampled_sum


class FusedProjection(nn.Module):
    """A map's projection to the common width and its share of the fusing 1 x 1 convolution, as one product.

    The paper upsamples, concatenates and then fuses. A 1 x 1 convolution commutes with bilinear upsampling, so each map can
    be fused at its own resolution and added up afterwards: the same function for 5 to 12 times less work. Two linear maps in
    a row are one: their weights, which are small, are multiplied before they meet the tokens, which are many.
    Maps (B, in_channels, H, W), factors (channels,) for the results -> (B, channels, H, W).
    """

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.project = nn.Linear(in_channels, channels)
        self.fuse = nn.Linear(channels, channels, bias=False)

    def forward(self, maps: Tensor, factors: Tensor) -> Tensor:
        fuse = factors[:, None] * self.fuse.weight
        tokens = F.linear(maps.permute(0, 2, 3, 1), fuse @ self.project.weight, fuse @ self.project.bias)
        return tokens.permute(0, 3, 1, 2)


class SegFormerHead(nn.Module):
    """Brings every map to one width and one size, fuses them, names each pixel.

    Features -> logits (B, num_classes, H / 4, W / 4). The paper uses 256 channels for B0 and B1, 768 for B2 to B5. In
    evaluation the norm, whose statistics are then known, is a part of the projections.
    """

    def __init__(self, in_channels: Sequence[int], num_classes: int, *, channels: int = 256, dropout: float = 0.1):
        super().__init__()
        self.branches = nn.ModuleList(FusedProjection(width, channels) for width in in_channels)
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Features, image_size: list[Size] | None = None) -> Tensor:  # noqa: ARG002
        return self._learn(features) if self.training else self._infer(features)

    def _learn(self, features: Features) -> Tensor:
        fused = add_upsampled(self._branches(features, torch.ones_like(self.norm.weight)))
        fused = F.relu(self.norm(fused), inplace=True)
        # to drop a channel is to drop its weights, which are fewer than its pixels
        kept = self.dropout(fused.new_ones(*fused.shape[:2], 1, 1)).flatten(2).transpose(1, 2)  # (B, 1, C)
        weights = self.classify.weight.flatten(1) * kept  # (B, num_classes, C)
        logits = torch.baddbmm(self.classify.bias, fused.permute(0, 2, 3, 1).flatten(1, 2), weights.transpose(1, 2))
        return logits.unflatten(1, fused.shape[2:]).permute(0, 3, 1, 2)

    def _infer(self, features: Features) -> Tensor:
        factors = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        offset = self.norm.bias - factors * self.norm.running_mean
        *finer, coarsest = self._branches(features, factors)
        # a constant stays what it is when it is upsampled, so it is added where that is cheapest
        return from_upsampled_sum(self._name, [*finer, coarsest + offset[:, None, None]])

    def _branches(self, features: Features, factors: Tensor) -> list[Tensor]:
        return [branch(maps, factors) for branch, maps in zip(self.branches, features, strict=True)]

    def _name(self, fused: Tensor) -> Tensor:
        return self.classify(F.relu(fused))
