"""The names under which losses are logged."""

from typing import Any

from torch import Tensor, nn


def terms(loss: nn.Module, answer: Any, target: Tensor) -> dict[str, Tensor]:
    """The loss by its `name`, or each term of one that has several by its own."""
    value = loss(answer, target)
    return value if isinstance(value, dict) else {getattr(loss, "name", "objective"): value}
