"""The all-MLP decoder of SegFormer (https://arxiv.org/abs/2105.15203, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.interfaces import Features, Size
from pvtseg.layers.channel_dropout import convolve_kept_channels
from pvtseg.layers.fused_projection import FusedProjection, normalized_projections
from pvtseg.layers.upsampled_sum import of_upsampled_sum, upsampled_sum


class SegFormerHead(nn.Module):
    """Projects every map to one width and fuses them at the finest resolution, then
    classifies each pixel.

    Features -> logits (B, num_classes, H / 4, W / 4). The paper uses 256 channels for
    B0 and B1, 768 for B2 to B5. The order of work differs from the paper's, the
    function does not (pvtseg/layers/fused_projection.py).
    """

    def __init__(self, in_channels: Sequence[int], num_classes: int, *, channels: int = 256, dropout: float = 0.1):
        super().__init__()
        self.branches = nn.ModuleList(FusedProjection(width, channels) for width in in_channels)
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Features, image_size: list[Size] | None = None) -> Tensor:  # noqa: ARG002
        if self.training:
            fused = upsampled_sum([branch(maps) for branch, maps in zip(self.branches, features, strict=True)])
            fused = F.relu(self.norm(fused), inplace=True)
            return convolve_kept_channels(fused, self.dropout, self.classify)
        return of_upsampled_sum(self._classify, normalized_projections(self.branches, self.norm, features))

    def _classify(self, fused: Tensor) -> Tensor:
        return self.classify(F.relu(fused))
