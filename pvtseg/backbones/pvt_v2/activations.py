"""The activations of the feed-forward networks, under the names of transformers'
`hidden_act`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from pvtseg.errors import UserError

Activation = Callable[[Tensor], Tensor]


def quick_gelu(hidden: Tensor) -> Tensor:
    """A sigmoid in place of the normal distribution
    (https://github.com/hendrycks/GELUs).
    """
    return hidden * torch.sigmoid(1.702 * hidden)


_gelu_tanh = partial(F.gelu, approximate="tanh")

ACTIVATIONS: dict[str, Activation] = {
    "gelu": F.gelu,
    "gelu_python": F.gelu,
    "gelu_new": _gelu_tanh,
    "gelu_fast": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "quick_gelu": quick_gelu,
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "silu": F.silu,
    "swish": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def activation_of(name: str) -> Activation:
    """The function of this name. Raises UserError for an unknown name."""
    if name not in ACTIVATIONS:
        raise UserError(f"backbone.activation={name} is not known; use one of {', '.join(ACTIVATIONS)}.")
    return ACTIVATIONS[name]
