"""Tokens on their grid, and the overlapping patch embedding (PVT v2, https://arxiv.org/abs/2106.13797, section 3.2).

Tokens are kept as (B, H, W, C). That is the memory of a channels-last map, so a norm or a linear layer and a convolution
look at the same numbers in turn and nothing is ever copied between them.
"""

import torch
from torch import Tensor, nn


def to_maps(tokens: Tensor) -> Tensor:
    """Tokens (B, H, W, C) seen as channels-last maps (B, C, H, W): a view."""
    return tokens.permute(0, 3, 1, 2)


def to_tokens(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) seen as tokens (B, H, W, C): a view, contiguous when the maps are channels-last."""
    return maps.permute(0, 2, 3, 1)


class PatchEmbedding(nn.Module):
    """A strided convolution whose patches overlap, then a norm. Maps (B, C, H, W) -> tokens at 1 / stride."""

    def __init__(self, in_channels: int, channels: int, *, patch_size: int, stride: int, eps: float):
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, patch_size, stride, padding=patch_size // 2)
        self.norm = nn.LayerNorm(channels, eps)

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps.contiguous(memory_format=torch.channels_last)
        return self.norm(to_tokens(self.project(maps)))
