"""The tables of linear interpolation are torch's, at any length."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pvtseg.layers.upsampling import neighbors, source_rows

LENGTHS = [(1, 7), (2, 9), (3, 3), (5, 2), (7, 29), (128, 512), (97, 500), (300, 301), (40, 13)]
CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("length", "new_length"), LENGTHS)
def test_neighbors_and_weights_interpolate_as_torch_does(length, new_length, dtype):
    positions, weights = neighbors(length, new_length, dtype, CPU)
    signal = torch.randn(length, dtype=dtype)
    expected = F.interpolate(signal[None, None], size=new_length, mode="linear", align_corners=False)[0, 0]
    torch.testing.assert_close((signal[positions] * weights).sum(dim=1), expected)


@pytest.mark.parametrize(("length", "new_length"), LENGTHS)
def test_the_source_rows_hold_every_neighbor(length, new_length):
    positions, _ = neighbors(length, new_length, torch.float64, CPU)
    for start in range(new_length):
        for stop in range(start + 1, min(start + 4, new_length) + 1):
            sources = source_rows(length, new_length, slice(start, stop))
            assert 0 <= sources.start <= positions[start:stop].min()
            assert positions[start:stop].max() < sources.stop <= length


def test_a_table_that_was_built_in_inference_mode_serves_training():
    with torch.inference_mode():
        neighbors(61, 67, torch.float32, CPU)
    _, weights = neighbors(61, 67, torch.float32, CPU)
    (weights * torch.ones(2, requires_grad=True)).sum().backward()
