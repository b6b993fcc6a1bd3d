"""A function worked out in bands of rows is the function, and so are its gradients."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from pvtseg.backbones.pvt_v2.block import Block, ConvFeedForward
from pvtseg.layers import row_chunks
from pvtseg.layers.row_chunks import in_row_bands


class Neighborhood(nn.Module):
    """Looks one row up and down, then doubles the size; counts how often it is called and the rows it was given."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.rows: list[int] = []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.rows.append(tokens.shape[1])
        return self.upsample(torch.tanh(self.conv(tokens.permute(0, 3, 1, 2)))).permute(0, 2, 3, 1)


def in_bands(function: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    return in_row_bands(function, tokens, list(function.parameters()), halo=1, bytes_per_token=100, scale=2)


def both_ways(monkeypatch, tokens, band_bytes):
    """The answers and all gradients, first in bands, then at once."""
    function = Neighborhood().double()
    found = []
    for size in (band_bytes, 1 << 40):
        monkeypatch.setattr(row_chunks, "BAND_BYTES", size)
        mine, own_tokens = deepcopy(function), tokens.clone().requires_grad_()
        answer = in_bands(mine, own_tokens)
        answer.square().sum().backward()
        found.append([answer, own_tokens.grad, *(parameter.grad for parameter in mine.parameters())])
    return found


@pytest.mark.parametrize("band_bytes", [1, 5_000, 30_000], ids=["few_rows", "half_an_image", "several_images"])
@pytest.mark.parametrize("shape", [(4, 16, 9, 3), (1, 17, 5, 3), (3, 5, 7, 3)])
def test_bands_change_neither_answers_nor_gradients(monkeypatch, shape, band_bytes):
    banded, whole = both_ways(monkeypatch, torch.randn(shape, dtype=torch.float64), band_bytes)
    for one, other in zip(banded, whole, strict=True):
        torch.testing.assert_close(one, other)


def test_an_image_is_really_cut(monkeypatch):
    monkeypatch.setattr(row_chunks, "BAND_BYTES", 8 * 10 * 100)
    function = Neighborhood()
    with torch.no_grad():
        in_bands(function, torch.randn(1, 32, 10, 3))
    assert function.rows == [9, 10, 10, 9]  # four bands of 8 rows, and the halo


def test_frozen_parameters_and_inputs_get_no_gradient(monkeypatch):
    monkeypatch.setattr(row_chunks, "BAND_BYTES", 1)
    function = Neighborhood()
    function.conv.bias.requires_grad_(False)
    in_bands(function, torch.randn(2, 12, 4, 3)).sum().backward()
    assert function.conv.bias.grad is None
    assert function.conv.weight.grad.abs().sum() > 0


def test_in_training_nothing_within_the_bands_is_kept(monkeypatch):
    mlp = ConvFeedForward(8, 4, activate=nn.Identity())
    block, tokens = Block(8, nn.Identity(), mlp, drop_path_rate=0.0, eps=1e-6), torch.randn(2, 32, 32, 8, requires_grad=True)

    def kept() -> int:
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda kept: kept):
            block(tokens)
        return max(sizes)

    at_once = kept()
    monkeypatch.setattr(row_chunks, "BAND_BYTES", 4096)
    assert at_once == 4 * tokens.numel()
    assert kept() == tokens.numel()


def test_under_autocast_the_function_is_called_once(monkeypatch):
    monkeypatch.setattr(row_chunks, "BAND_BYTES", 1)
    function = Neighborhood()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        in_bands(function, torch.randn(2, 12, 4, 3))
    assert function.rows == [12]
