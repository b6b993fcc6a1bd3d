"""Adaptive pooling by matrix products is torch's adaptive pooling."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pvtseg.layers.adaptive_pool import adaptive_average_pool, averaging_matrix


@pytest.mark.parametrize("size", [(7, 7), (14, 21), (16, 9), (3, 50), (1, 1)])
def test_means_are_those_of_adaptive_average_pooling(size):
    tokens = torch.randn(2, *size, 3, dtype=torch.float64)
    expected = F.adaptive_avg_pool2d(tokens.permute(0, 3, 1, 2), 7).permute(0, 2, 3, 1)
    torch.testing.assert_close(adaptive_average_pool(tokens, 7), expected)


def test_a_matrix_is_built_once_for_each_size_type_and_device():
    kinds = [
        (9, 7, torch.float32, "cpu"),
        (9, 7, torch.bfloat16, "cpu"),
        (9, 7, torch.float32, "meta"),
        (8, 7, torch.float32, "cpu"),
    ]
    matrices = [averaging_matrix(*sizes, torch.device(device)) for *sizes, device in kinds]
    assert [(matrix.dtype, matrix.device.type) for matrix in matrices] == [(kind[2], kind[3]) for kind in kinds]
    assert averaging_matrix(9, 7, torch.float32, torch.device("cpu")) is matrices[0]
