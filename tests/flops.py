"""The work of a model, counted by torch."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(model: nn.Module, size: tuple[int, int]) -> int:
    """Of one forward pass of a model on the meta device, for an RGB image; norms and
    activations are not counted.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.empty(1, 3, *size, device="meta"))
    return counter.get_total_flops() // 2
