"""Adaptive average pooling written as two small matrix products: the same numbers, and it exports and compiles."""

import functools

import torch
from torch import Tensor


@functools.lru_cache(maxsize=64)
def averaging_matrix(length: int, cells: int) -> Tensor:
    """The (cells, length) float32 matrix whose product with a signal averages it within each of `cells` bins.

    Cell i covers floor(i * length / cells) up to, not including, ceil((i + 1) * length / cells), the rule of
    `torch.nn.AdaptiveAvgPool2d`; neighboring cells overlap where the length is no multiple.
    """
    with torch.inference_mode(False):  # it is kept, and training will want it after a look in inference mode
        position = torch.arange(length, device="cpu")
        cell = torch.arange(cells, device="cpu")[:, None]
        first = cell * length // cells
        last = ((cell + 1) * length + cells - 1) // cells
        inside = (position >= first) & (position < last)
        return inside / (last - first)


def average_pool(tokens: Tensor, cells: int) -> Tensor:
    """Tokens (B, H, W, C) averaged into a grid of cells: (B, cells, cells, C), whatever H and W are."""
    batch, height, width, channels = tokens.shape
    matrix = averaging_matrix.__wrapped__ if torch.compiler.is_compiling() else averaging_matrix  # a compiler keeps no cache
    rows, columns = (matrix(length, cells).to(tokens) for length in (height, width))
    tokens = (rows @ tokens.reshape(batch, height, width * channels)).unflatten(2, (width, channels))
    return columns @ tokens  # (W', W) @ (B, H', W, C)
