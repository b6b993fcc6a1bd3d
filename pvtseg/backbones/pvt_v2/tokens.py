"""The overlapping patch embedding (PVT v2, https://arxiv.org/abs/2106.13797, section
3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvtseg.layers.tokens import to_tokens


class PatchEmbedding(nn.Module):
    """A strided convolution whose patches overlap, then a norm. Maps (B, C, H, W) ->
    tokens at 1 / stride.
    """

    def __init__(self, in_channels: int, channels: int, *, patch_size: int, stride: int, eps: float):
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, patch_size, stride, padding=patch_size // 2)
        self.norm = nn.LayerNorm(channels, eps)

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps.contiguous(memory_format=torch.channels_last)
        return self.norm(to_tokens(self.project(maps)))
