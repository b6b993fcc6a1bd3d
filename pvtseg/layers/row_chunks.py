"""Functions of maps, computed in chunks of rows, so that what they make on the way
stays small.

On a CPU, large temporary tensors are allocated and freed by the operating system on
every call; the page faults cost more than the arithmetic. Chunks of rows are small
enough to stay in the cache and the allocator. On a GPU, chunks of an upsampled map
bound the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from pvtseg.layers.precision import accurate_type, without_autocast
from pvtseg.layers.resize import resize
from pvtseg.layers.upsampling import channels_last, mixing_matrix, source_rows

CHUNK_BYTES = 8 << 20  # a few of these fit the last cache of a processor; 4 to 16 MiB are much alike
CPU_UPSAMPLED_BYTES = 4 << 20  # smaller chunks stay in the cache, larger ones wait less often for a busy core
GPU_UPSAMPLED_BYTES = 256 << 20  # few, large kernels

Step = Callable[[Tensor], Tensor]
Measure = Callable[
    [Tensor, int, slice], Tensor
]  # logits (rows, W, K) of a chunk, the image's number, its rows -> anything


def chunks_pay(tensor: Tensor) -> bool:
    """True on a CPU that neither a compiler nor autocast manages: there, chunks of rows
    save time.
    """
    return tensor.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()


def in_row_chunks(steps: Sequence[Step], tokens: Tensor, *, halo: int, widest: int, scale: int = 1) -> Tensor:
    """The steps applied one after the other: tokens (B, H, W, C) -> (B, scale * H,
    scale * W, C').

    steps: modules, or functions without parameters. halo: how many rows above and below
    a row its result depends on; chunks overlap by as many, so that the result is the
    same. widest: numbers per token of the largest intermediate.

    In training no intermediate is saved; each chunk is recomputed in the backward pass
    (https://arxiv.org/abs/1604.06174). On a GPU, under torch.compile and under autocast
    the steps are applied once to the whole input.
    """
    if not chunks_pay(tokens):
        return _run(steps, tokens)
    _reuse_freed_chunks()
    batch, height, width, _ = tokens.shape
    num_rows = max(CHUNK_BYTES // (width * widest * tokens.itemsize), 4 * halo)
    if num_rows >= batch * height:
        return _run(steps, tokens)
    parameters = [parameter for step in steps if isinstance(step, nn.Module) for parameter in step.parameters()]
    return _InRowChunks.apply(steps, list(_row_chunks(batch, height, num_rows, halo)), scale, tokens, *parameters)


def over_upsampled_rows(measure: Measure, logits: Tensor, size: Sequence[int]) -> list[Tensor]:
    """The results of `measure` on each chunk of the logits (B, K, h, w) upsampled to
    `size`: by image, top to bottom.

    Each chunk is recomputed in the backward pass. Half precision is computed in
    float32.
    """
    results = []
    with without_autocast(logits):
        chunks = upsampled_row_chunks(logits, size)
        for i, image_logits in enumerate(logits):
            coarse = channels_last(image_logits)
            for chunk in chunks:
                arguments = (measure, coarse, chunk, i)
                results.append(checkpoint(_measure_chunk, *arguments, use_reentrant=False, preserve_rng_state=False))
    return results


def _measure_chunk(measure: Measure, coarse: Tensor, chunk: UpsampledRows, image: int) -> Tensor:
    return measure(chunk.upsample(coarse[chunk.sources]), image, chunk.rows)


class UpsampledRows(NamedTuple):
    """Rows of an upsampled map, and how they are made from the coarse map.

    rows: of the upsampled map. sources: the rows of the coarse map that they are mixed
    from. mixing (rows, sources): the weights. width: of the upsampled map.
    """

    rows: slice
    sources: slice
    mixing: Tensor
    width: int

    def upsample(self, coarse: Tensor) -> Tensor:
        """These rows (rows, width, C) from the `sources` of the coarse map (sources, w,
        C). Differentiable.
        """
        mixed = (self.mixing @ coarse.flatten(1)).unflatten(1, coarse.shape[1:])
        mixed = mixed.transpose(1, 2).unsqueeze(2)  # (rows, C, 1, w): torch widens a batch of rows in parallel
        return resize(mixed, (1, self.width)).squeeze(2).transpose(1, 2)


def upsampled_row_chunks(maps: Tensor, size: Sequence[int]) -> list[UpsampledRows]:
    """The chunks, top to bottom, of one image's map upsampled to `size` (height,
    width).

    maps: (B, C, h, w); only the shape, the type and the device are used. A chunk holds
    at most CPU_UPSAMPLED_BYTES or GPU_UPSAMPLED_BYTES.
    """
    num_channels, coarse_height = maps.shape[1:3]
    height, width = size
    most_bytes = CPU_UPSAMPLED_BYTES if maps.device.type == "cpu" else GPU_UPSAMPLED_BYTES
    num_rows = max(most_bytes // (width * num_channels * accurate_type(maps).itemsize), 1)
    chunks = []
    for start in range(0, height, num_rows):
        rows = slice(start, min(start + num_rows, height))
        sources = source_rows(coarse_height, height, rows)
        chunks.append(UpsampledRows(rows, sources, mixing_matrix(coarse_height, height, rows, sources, maps), width))
    return chunks


class _RowChunk(NamedTuple):
    """Rows of some images, and the rows of tokens that they are computed from."""

    images: slice
    rows: slice
    sources: slice

    def within(self, whole: Tensor, scale: int) -> Tensor:
        """The rows of this chunk in the whole result."""
        return whole[self.images, self.rows.start * scale : self.rows.stop * scale]

    def without_halo(self, result: Tensor, scale: int) -> Tensor:
        """The same rows in the result of `sources`."""
        start, stop = (row - self.sources.start for row in (self.rows.start, self.rows.stop))
        return result[:, start * scale : stop * scale]


def _row_chunks(batch: int, height: int, num_rows: int, halo: int) -> Iterator[_RowChunk]:
    """Cuts images into chunks of nearly equal height, of at most `num_rows`; whole
    images that fit go together.
    """
    for images in _cut(batch, max(num_rows // height, 1)):
        for rows in _cut(height, num_rows):
            yield _RowChunk(images, rows, slice(max(rows.start - halo, 0), min(rows.stop + halo, height)))


def _cut(length: int, most: int) -> list[slice]:
    parts = -(-length // most)
    return [slice(*edges) for edges in pairwise(length * part // parts for part in range(parts + 1))]


def _run(steps: Sequence[Step], tokens: Tensor) -> Tensor:
    for step in steps:
        tokens = step(tokens)
    return tokens


@cache
def _reuse_freed_chunks() -> None:
    """Raises glibc's dynamic mmap threshold (mallopt(3), M_MMAP_THRESHOLD), so that
    freed chunks are reused.

    glibc raises it when a large block is freed, so we allocate and free one untouched
    block of 3 * CHUNK_BYTES.
    """
    torch.empty(3 * CHUNK_BYTES, dtype=torch.uint8, device="cpu")


class _InRowChunks(torch.autograd.Function):
    """The steps' result chunk by chunk; in backward each chunk is computed again, and
    then its gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, steps: Sequence[Step], chunks: list[_RowChunk], scale: int, tokens: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.steps, ctx.chunks, ctx.scale = steps, chunks, scale
        ctx.save_for_backward(tokens, *parameters)
        batch, height, width, _ = tokens.shape
        whole = tokens.new_empty(0)
        for chunk in chunks:
            result = _run(steps, tokens[chunk.images, chunk.sources])
            if chunk is chunks[0]:  # the first result decides type and channels
                whole = result.new_empty(batch, height * scale, width * scale, result.shape[-1])
            chunk.within(whole, scale).copy_(chunk.without_halo(result, scale))
        return whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        tokens, *parameters = ctx.saved_tensors
        needed = ctx.needs_input_grad[3:]
        wanted = [tensor for tensor, needs in zip([tokens, *parameters], needed, strict=True) if needs]
        sums = [torch.zeros_like(tensor) for tensor in wanted]
        for chunk in ctx.chunks:
            with torch.enable_grad():
                sources = tokens[chunk.images, chunk.sources].detach().requires_grad_(needed[0])
                result = chunk.without_halo(_run(ctx.steps, sources), ctx.scale)
            inputs = [sources, *wanted[1:]] if needed[0] else wanted
            gradients = torch.autograd.grad(result, inputs, chunk.within(gradient, ctx.scale))
            totals = [sums[0][chunk.images, chunk.sources], *sums[1:]] if needed[0] else sums
            for total, more in zip(totals, gradients, strict=True):
                total += more
        found = iter(sums)
        return None, None, None, *(next(found) if needs else None for needs in needed)
