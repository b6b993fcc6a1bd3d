"""A function of neighbourhoods, worked out in bands of rows, so that what it makes on the way stays in the cache.

Memory of tens of megabytes is fetched from the system each time and lost again, which on a CPU costs more than the arithmetic
on it. A band is small enough to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BAND_BYTES = 8 << 20  # a few of these fit the last cache of a processor; 4 to 16 MiB are much alike

Tokens = Callable[[Tensor], Tensor]


def in_row_bands(function: Tokens, tokens: Tensor, parameters: Sequence[Tensor], *, halo: int, bytes_per_token: int) -> Tensor:
    """function(tokens): tokens (B, H, W, C) -> (B, H, W, C'), on the CPU a band at a time.

    Each row of the answer depends on its own row of tokens and on `halo` rows above and below it; bands overlap by as many, so
    that the answer is the same. parameters: all that the function learns. bytes_per_token: the largest thing that it makes, for
    each token. In training nothing that it makes is kept; the bands are worked out again on the way back
    (https://arxiv.org/abs/1604.06174). A GPU's allocator keeps its memory and a compiler cuts by itself: there, and under
    autocast, the function is called once.
    """
    rows = max(BAND_BYTES // (tokens.shape[2] * bytes_per_token), 4 * halo)
    fits = rows >= tokens.shape[0] * tokens.shape[1]
    if fits or tokens.device.type != "cpu" or torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
        return function(tokens)
    return _InRowBands.apply(function, rows, halo, tokens, *parameters)


class Band(NamedTuple):
    """Rows of some images, and which rows of tokens they are made from. `inner`: where the former lie in the latter."""

    images: slice
    rows: slice
    sources: slice

    @property
    def inner(self) -> slice:
        return slice(self.rows.start - self.sources.start, self.rows.stop - self.sources.start)


def _bands(batch: int, height: int, rows: int, halo: int) -> Iterator[Band]:
    """Cuts images into bands of nearly equal height, none above `rows`; where whole images fit, several go together."""
    for images in _cut(batch, max(rows // height, 1)):
        for inside in _cut(height, rows):
            yield Band(images, inside, slice(max(inside.start - halo, 0), min(inside.stop + halo, height)))


def _cut(length: int, most: int) -> list[slice]:
    parts = -(-length // most)
    return [slice(*edges) for edges in pairwise(length * part // parts for part in range(parts + 1))]


class _InRowBands(torch.autograd.Function):
    """The function's value band by band; on the way back each band's gradient, the band worked out once more."""

    @staticmethod
    def forward(ctx: Any, function: Tokens, rows: int, halo: int, tokens: Tensor, *parameters: Tensor) -> Tensor:
        ctx.function = function
        ctx.bands = list(_bands(*tokens.shape[:2], rows, halo))
        ctx.save_for_backward(tokens, *parameters)
        value = None
        for images, inside, sources in ctx.bands:
            band = function(tokens[images, sources])
            if value is None:
                value = band.new_empty(*tokens.shape[:3], band.shape[-1])
            value[images, inside] = band[:, Band(images, inside, sources).inner]
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        tokens, *parameters = ctx.saved_tensors
        _, _, _, wants_tokens, *wanted = ctx.needs_input_grad
        learning = [parameter for parameter, wants in zip(parameters, wanted, strict=True) if wants]
        sums = [torch.zeros_like(parameter) for parameter in learning]
        tokens_slope = torch.zeros_like(tokens) if wants_tokens else None
        for band in ctx.bands:
            with torch.enable_grad():
                sources = tokens[band.images, band.sources].detach().requires_grad_(wants_tokens)
                value = ctx.function(sources)[:, band.inner]
            slopes = torch.autograd.grad(value, [sources] * wants_tokens + learning, slope[band.images, band.rows])
            if wants_tokens:
                tokens_slope[band.images, band.sources] += slopes[0]
            for total, part in zip(sums, slopes[wants_tokens:], strict=True):
                total += part
        found = iter(sums)
        return None, None, None, tokens_slope, *(next(found) if wants else None for wants in wanted)
