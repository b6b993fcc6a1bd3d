"""A 1 x 1 convolution of maps whose channels are dropped."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolve_kept_channels(maps: Tensor, dropout: nn.Dropout2d, convolution: nn.Conv2d) -> Tensor:
    """convolution(dropout(maps)), for a 1 x 1 convolution with bias: (B, C, H, W) ->
    (B, K, H, W).

    To drop a channel is to drop its weights, which are fewer than its pixels.
    """
    assert convolution.bias is not None
    kept = dropout(maps.new_ones(*maps.shape[:2], 1, 1)).flatten(2).transpose(1, 2)  # (B, 1, C)
    weights = convolution.weight.flatten(1) * kept  # (B, K, C)
    pixels = torch.baddbmm(convolution.bias, maps.permute(0, 2, 3, 1).flatten(1, 2), weights.transpose(1, 2))
    return pixels.unflatten(1, maps.shape[2:]).permute(0, 3, 1, 2)
