"""The floating-point types in which sums and logarithms are computed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def accurate_type(tensor: Tensor) -> torch.dtype:
    """float32 for half precision; the tensor's own type otherwise."""
    return torch.promote_types(tensor.dtype, torch.float32)


def without_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """A context in which the tensor's device computes in the types that it is given."""
    kind = tensor.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
