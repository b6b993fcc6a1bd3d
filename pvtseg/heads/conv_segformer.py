"""The decoder that mmsegmentation calls SegFormer's
(https://github.com/open-mmlab/mmsegmentation).

It differs from the paper's (https://arxiv.org/abs/2105.15203, section 3.2): each map is
projected by a convolution without bias, a batch norm and a ReLU in place of a linear
layer, so the weights of one do not fit the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.interfaces import Features, Size
from pvtseg.layers.resize import resize


class Branch(nn.Module):
    """A map (B, in_channels, h, w) projected to the common width and fused: (B,
    channels, h, w).

    fuse: the columns of the fusing 1 x 1 convolution that belong to this map. It
    commutes with bilinear upsampling, so it runs at the map's own resolution.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.fuse = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return self.fuse(F.relu(self.norm(self.project(maps))))


class ConvSegFormerHead(nn.Module):
    """Features -> logits (B, num_classes, H / 4, W / 4): mmsegmentation's
    SegformerHead.

    mmsegmentation uses 256 channels for every size of the encoder.
    """

    def __init__(
        self, in_channels: Sequence[int], num_classes: int, *, channels: int = 256, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(width, channels) for width in in_channels)
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Features, image_size: list[Size] | None = None) -> Tensor:  # noqa: ARG002
        size = features[0].shape[-2:]
        fused = sum(resize(branch(maps), size) for branch, maps in zip(self.branches, features, strict=True))
        return self.classify(self.dropout(F.relu(self.norm(fused))))
