"""The sum of maps at the resolution of the finest, at once and in row chunks."""

from __future__ import annotations

import pytest
import torch
from resizing import plain

from pvtseg.layers import row_chunks
from pvtseg.layers.upsampled_sum import of_upsampled_sum, upsampled_sum


def maps_of(dtype):
    return [torch.randn(2, 3, *size, dtype=torch.float64).to(dtype) for size in ((17, 25), (9, 13), (5, 7), (3, 4))]


@pytest.mark.parametrize("num_maps", [1, 2, 4])
@pytest.mark.parametrize("chunk_bytes", [1, 3_000, 10**9], ids=["a_row", "a_few_rows", "all_rows"])
def test_a_function_of_the_sum_is_the_same_in_row_chunks(monkeypatch, chunk_bytes, num_maps):
    monkeypatch.setattr(row_chunks, "CPU_UPSAMPLED_BYTES", chunk_bytes)
    maps = maps_of(torch.float64)[:num_maps]
    expected = sum(plain(each, (17, 25)) for each in maps)
    torch.testing.assert_close(upsampled_sum(maps), expected)
    with torch.no_grad():
        torch.testing.assert_close(of_upsampled_sum(torch.tanh, maps), expected.tanh())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_sum_of_half_precision_is_rounded_once_and_keeps_its_type(dtype):
    maps = maps_of(dtype)
    with torch.no_grad():
        found = of_upsampled_sum(torch.neg, maps)
    expected = -sum(plain(each.float(), (17, 25)) for each in maps)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-6)
