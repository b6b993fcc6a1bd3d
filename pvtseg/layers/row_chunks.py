"""A function of neighborhoods, worked out in bands of rows, so that what it makes on the way stays in the cache.

Memory of tens of megabytes is fetched from the system each time and lost again, which on a CPU costs more than the arithmetic
on it. A band is small enough to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BAND_BYTES = 8 << 20  # a few of these fit the last cache of a processor; 4 to 16 MiB are much alike


def in_row_bands(
    function: Callable[[Tensor], Tensor],
    tokens: Tensor,
    parameters: Sequence[Tensor],
    *,
    halo: int,
    bytes_per_token: int,
    scale: int = 1,
) -> Tensor:
    """function(tokens), (B, H, W, C) -> (B, scale * H, scale * W, C'), on the CPU a band at a time.

    What the function makes of a row depends on that row and on `halo` rows above and below it; bands overlap by as many, so that
    the answer is the same. parameters: all that the function learns. bytes_per_token: of the largest thing that it makes, for
    each token. In training nothing that it makes is kept; each band is worked out again on the way back
    (https://arxiv.org/abs/1604.06174). A GPU's allocator keeps its memory and a compiler cuts by itself: there, and under
    autocast, the function is called once.
    """
    if not pays_in_bands(tokens):
        return function(tokens)
    keep_freed_memory()
    batch, height, width, _ = tokens.shape
    rows = max(BAND_BYTES // (width * bytes_per_token), 4 * halo)
    if rows >= batch * height:
        return function(tokens)
    return _InRowBands.apply(function, list(_bands(batch, height, rows, halo)), scale, tokens, *parameters)


@cache
def keep_freed_memory() -> None:
    """Has the C library keep what a band gives back for the next one.

    It keeps freed blocks that are no larger than the largest that it has seen freed (mallopt(3), M_MMAP_THRESHOLD; 32 MiB at
    most). It is shown one as large as the three of a band together, which is never written to and so costs nothing.
    """
    torch.empty(3 * BAND_BYTES, dtype=torch.uint8, device="cpu")


def pays_in_bands(tensor: Tensor) -> bool:
    """Whether what is made of this tensor had better be made in bands: on a CPU, where no compiler sees to it."""
    return tensor.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()


class _Band(NamedTuple):
    """Rows of some images, and the rows of tokens that they are made from."""

    images: slice
    rows: slice
    sources: slice

    def rows_of(self, answer: Tensor, scale: int) -> Tensor:
        """The rows of this band in the whole answer."""
        return answer[self.images, self.rows.start * scale : self.rows.stop * scale]

    def without_halo(self, answer: Tensor, scale: int) -> Tensor:
        """The same rows in what was made of `sources`."""
        start, stop = (row - self.sources.start for row in (self.rows.start, self.rows.stop))
        return answer[:, start * scale : stop * scale]


def _bands(batch: int, height: int, rows: int, halo: int) -> Iterator[_Band]:
    """Cuts images into bands of nearly equal height, none above `rows`; where whole images fit, several go together."""
    for images in _cut(batch, max(rows // height, 1)):
        for inside in _cut(height, rows):
            yield _Band(images, inside, slice(max(inside.start - halo, 0), min(inside.stop + halo, height)))


def _cut(length: int, most: int) -> list[slice]:
    parts = -(-length // most)
    return [slice(*edges) for edges in pairwise(length * part // parts for part in range(parts + 1))]


class _InRowBands(torch.autograd.Function):
    """The function's answer band by band; on the way back each band's gradient, the band worked out once more."""

    @staticmethod
    def forward(
        ctx: Any, function: Callable[[Tensor], Tensor], bands: list[_Band], scale: int, tokens: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.function, ctx.bands, ctx.scale = function, bands, scale
        ctx.save_for_backward(tokens, *parameters)
        batch, height, width, _ = tokens.shape
        answer = None
        for band in bands:
            part = function(tokens[band.images, band.sources])
            if answer is None:  # the first part tells type and channels
                answer = part.new_empty(batch, height * scale, width * scale, part.shape[-1])
            band.rows_of(answer, scale).copy_(band.without_halo(part, scale))
        return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        tokens, *parameters = ctx.saved_tensors
        wanted = [tensor for tensor, wants in zip([tokens, *parameters], ctx.needs_input_grad[3:], strict=True) if wants]
        sums = [torch.zeros_like(tensor) for tensor in wanted]
        learns_below = ctx.needs_input_grad[3]
        for band in ctx.bands:
            with torch.enable_grad():
                sources = tokens[band.images, band.sources].detach().requires_grad_(learns_below)
                part = band.without_halo(ctx.function(sources), ctx.scale)
            inputs = [sources, *wanted[1:]] if learns_below else wanted
            slopes = torch.autograd.grad(part, inputs, band.rows_of(slope, ctx.scale))
            totals = [sums[0][band.images, band.sources], *sums[1:]] if learns_below else sums
            for total, more in zip(totals, slopes, strict=True):
                total += more
        found = iter(sums)
        return None, None, None, *(next(found) if wants else None for wants in ctx.needs_input_grad[3:])
