"""Adaptive average pooling as two small matrix products, which export and compile
(`torch.nn.AdaptiveAvgPool2d`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from pvtseg.layers.constants import device_constant


def adaptive_average_pool(tokens: Tensor, cells: int) -> Tensor:
    """The means of tokens (B, H, W, C) in a grid of cells: (B, cells, cells, C), for
    any H and W.
    """
    batch, height, width, channels = tokens.shape
    rows, columns = (averaging_matrix(length, cells, tokens.dtype, tokens.device) for length in (height, width))
    tokens = (rows @ tokens.reshape(batch, height, width * channels)).unflatten(2, (width, channels))
    return columns @ tokens  # (cells, W) @ (B, cells, W, C)


@device_constant
def averaging_matrix(length: int, cells: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The (cells, length) matrix whose product with a signal is the signal's mean in
    each cell.

    Cell i covers floor(i * length / cells) up to, not including, ceil((i + 1) * length
    / cells). Neighboring cells overlap unless `cells` divides the length.
    """
    position = torch.arange(length, device=device)
    cell = torch.arange(cells, device=device)[:, None]
    first = cell * length // cells
    last = ((cell + 1) * length + cells - 1) // cells
    inside = (position >= first) & (position < last)
    return (inside / (last - first)).to(dtype)
