"""Attention whose keys and values come from fewer tokens (PVT v2,
https://arxiv.org/abs/2106.13797, section 3.1).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.layers.adaptive_pool import adaptive_average_pool
from pvtseg.layers.tokens import to_maps, to_tokens


class NoReduction(nn.Identity):
    """Every token is a key, as in the attention of the last stage."""


class ConvReduction(nn.Module):
    """The SR of spatial-reduction attention: a convolution merges ratio x ratio tokens
    into one. Tokens (B, H, W, C).
    """

    def __init__(self, channels: int, ratio: int, *, eps: float):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, ratio, ratio)
        self.norm = nn.LayerNorm(channels, eps)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.norm(to_tokens(self.conv(to_maps(tokens))))


class PoolReduction(nn.Module):
    """The SR of linear spatial-reduction attention: the image averaged into cells x
    cells tokens, for any size.
    """

    def __init__(self, channels: int, *, cells: int = 7, eps: float):
        super().__init__()
        self.cells = cells
        self.conv = nn.Conv2d(channels, channels, 1)
        self.norm = nn.LayerNorm(channels, eps)

    def forward(self, tokens: Tensor) -> Tensor:
        pooled = adaptive_average_pool(tokens, self.cells)
        return F.gelu(self.norm(to_tokens(self.conv(to_maps(pooled)))))


class ReducedAttention(nn.Module):
    """Multi-head attention of every token to the reduced tokens. (B, H, W, C) -> (B, H,
    W, C).

    qkv_bias: biases for query, key and value; the output projection always has one.
    """

    def __init__(self, channels: int, num_heads: int, reduce: nn.Module, *, qkv_bias: bool = True):
        super().__init__()
        self.num_heads = num_heads
        self.reduce = reduce
        self.query = nn.Linear(channels, channels, bias=qkv_bias)
        self.key_value = nn.Linear(channels, 2 * channels, bias=qkv_bias)  # the first half of its rows makes keys
        self.project = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        query = self._split(self.query(tokens))  # (B, heads, N, C / heads)
        key, value = map(self._split, self.key_value(self.reduce(tokens)).chunk(2, dim=-1))  # N / ratio^2 of them
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.project(attended.transpose(1, 2).reshape(tokens.shape))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.flatten(1, 2).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
