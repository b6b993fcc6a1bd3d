"""A loss that counts less or more, as an auxiliary head's does
(https://arxiv.org/abs/1612.01105, section 3.3).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Weighted(nn.Module):
    """`loss` times `weight`: (outputs, target) -> the same names, each scalar times the
    weight.
    """

    def __init__(self, loss: nn.Module, weight: float = 0.4) -> None:
        super().__init__()
        self.loss = loss
        self.weight = weight

    def forward(self, outputs: Any, target: Any) -> dict[str, Tensor]:
        return {name: self.weight * value for name, value in self.loss(outputs, target).items()}
