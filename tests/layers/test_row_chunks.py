"""Steps computed in row chunks give the same result and the same gradients as at once."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from resizing import SIZES, plain
from torch import nn

from pvtseg.backbones.pvt_v2.block import Block, ConvFeedForward
from pvtseg.layers import row_chunks
from pvtseg.layers.row_chunks import in_row_chunks, upsampled_row_chunks
from pvtseg.layers.upsampling import channels_last


class Neighborhood(nn.Module):
    """Looks one row up and down, then doubles the size; counts how often it is called
    and the rows it was given.
    """

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.rows: list[int] = []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.rows.append(tokens.shape[1])
        return self.upsample(torch.tanh(self.conv(tokens.permute(0, 3, 1, 2)))).permute(0, 2, 3, 1)


def chunked(function: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    return in_row_chunks([torch.sin, function], tokens, halo=1, widest=25, scale=2)


def both_ways(monkeypatch, tokens, chunk_bytes):
    """The results and all gradients, first in chunks, then at once."""
    function = Neighborhood().double()
    found = []
    for size in (chunk_bytes, 1 << 40):
        monkeypatch.setattr(row_chunks, "CHUNK_BYTES", size)
        mine, own_tokens = deepcopy(function), tokens.clone().requires_grad_()
        result = chunked(mine, own_tokens)
        result.square().sum().backward()
        found.append([result, own_tokens.grad, *(parameter.grad for parameter in mine.parameters())])
    return found


@pytest.mark.parametrize("chunk_bytes", [1, 5_000, 30_000], ids=["few_rows", "half_an_image", "several_images"])
@pytest.mark.parametrize("shape", [(4, 16, 9, 3), (1, 17, 5, 3), (3, 5, 7, 3)])
def test_row_chunks_change_neither_results_nor_gradients(monkeypatch, shape, chunk_bytes):
    in_chunks, whole = both_ways(monkeypatch, torch.randn(shape, dtype=torch.float64), chunk_bytes)
    for one, other in zip(in_chunks, whole, strict=True):
        torch.testing.assert_close(one, other)


def test_an_image_is_really_cut(monkeypatch):
    monkeypatch.setattr(row_chunks, "CHUNK_BYTES", 8 * 10 * 25 * 4)
    function = Neighborhood()
    with torch.no_grad():
        chunked(function, torch.randn(1, 32, 10, 3))
    assert function.rows == [9, 10, 10, 9]  # four chunks of 8 rows, and the halo


def test_frozen_parameters_and_inputs_get_no_gradient(monkeypatch):
    monkeypatch.setattr(row_chunks, "CHUNK_BYTES", 1)
    function = Neighborhood()
    function.conv.bias.requires_grad_(False)
    chunked(function, torch.randn(2, 12, 4, 3)).sum().backward()
    assert function.conv.bias.grad is None
    assert function.conv.weight.grad.abs().sum() > 0


def test_in_training_no_intermediate_of_a_chunk_is_saved(monkeypatch):
    mlp = ConvFeedForward(8, 4, after_expand=nn.Identity())
    block, tokens = (
        Block(8, nn.Identity(), mlp, drop_path_rate=0.0, eps=1e-6),
        torch.randn(2, 32, 32, 8, requires_grad=True),
    )

    def kept() -> int:
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: sizes.append(tensor.numel()) or tensor, lambda kept: kept
        ):
            block(tokens)
        return max(sizes)

    at_once = kept()
    monkeypatch.setattr(row_chunks, "CHUNK_BYTES", 4096)
    assert at_once == 4 * tokens.numel()
    assert kept() == tokens.numel()


def test_under_autocast_the_function_is_called_once(monkeypatch):
    monkeypatch.setattr(row_chunks, "CHUNK_BYTES", 1)
    function = Neighborhood()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        chunked(function, torch.randn(2, 12, 4, 3))
    assert function.rows == [12]


@pytest.mark.parametrize("chunk_bytes", [1, 2_000, 10**9], ids=["a_row", "a_few_rows", "all_rows"])
@pytest.mark.parametrize(("coarse_size", "size"), SIZES)
@pytest.mark.parametrize("num_channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_upsampled_chunks_together_are_the_interpolated_map(
    monkeypatch, coarse_size, size, num_channels, dtype, chunk_bytes
):
    monkeypatch.setattr(row_chunks, "CPU_UPSAMPLED_BYTES", chunk_bytes)
    maps = torch.randn(1, num_channels, *coarse_size, dtype=dtype)
    coarse = channels_last(maps[0])
    fine = torch.cat([chunk.upsample(coarse[chunk.sources]) for chunk in upsampled_row_chunks(maps, size)])
    torch.testing.assert_close(fine, plain(maps, size)[0].permute(1, 2, 0))


def test_upsampled_chunks_follow_each_other_and_stay_within_the_memory(monkeypatch):
    monkeypatch.setattr(row_chunks, "CPU_UPSAMPLED_BYTES", 10_000)
    chunks = upsampled_row_chunks(torch.zeros(2, 5, 16, 16), (64, 64))
    assert [chunk.rows.start for chunk in chunks[1:]] == [chunk.rows.stop for chunk in chunks[:-1]]
    assert (chunks[0].rows.start, chunks[-1].rows.stop) == (0, 64)
    assert all((chunk.rows.stop - chunk.rows.start) * 64 * 5 * 4 <= 10_000 for chunk in chunks)
