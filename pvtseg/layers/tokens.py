"""Tokens on their grid (B, H, W, C) and maps (B, C, H, W): two views of the same
memory.

Tokens are the memory of a channels-last map. So a norm or a linear layer and a
convolution read the same numbers in turn, and nothing is copied between them.
"""

from __future__ import annotations

from torch import Tensor


def to_maps(tokens: Tensor) -> Tensor:
    """A view of tokens (B, H, W, C) as channels-last maps (B, C, H, W)."""
    return tokens.permute(0, 3, 1, 2)


def to_tokens(maps: Tensor) -> Tensor:
    """A view of maps (B, C, H, W) as tokens (B, H, W, C), contiguous when the maps are
    channels-last.
    """
    return maps.permute(0, 2, 3, 1)
