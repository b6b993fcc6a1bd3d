"""Small tensors that depend on sizes alone. They stay on the device, because copying
one makes the device wait.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 256  # of each kind: a few kilobytes each


def device_constant(build: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorates a function of sizes, a type and a device: its tensor is built once per
    set of arguments.

    A compiler traces the function itself, because it folds constants on its own and
    sizes may be symbols there. The tensor may be used in training, even if it was built
    in inference mode.
    """
    kept = lru_cache(maxsize=KEPT)(build)

    @wraps(build)
    def constant(*arguments: object) -> Tensor:
        if torch.compiler.is_compiling():
            return build(*arguments)
        with torch.inference_mode(False):
            return kept(*arguments)

    return constant
