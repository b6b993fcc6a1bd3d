"""Functions of outputs, targets and predictions, which may stand by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from pvtseg.interfaces import Outputs


def map_outputs(function: Callable[..., Tensor], *outputs: Outputs) -> Outputs:
    """The function of the tensors that stand at the same place in each of the outputs."""
    first = outputs[0]
    if isinstance(first, Mapping):
        return {name: map_outputs(function, *(each[name] for each in outputs)) for name in first}
    return function(*outputs)


def unbatched(target: Any) -> list[Any]:
    """The targets of a batch, one per image: the inverse of what `collate` does with
    targets.
    """
    if isinstance(target, Mapping):
        return [dict(zip(target, values, strict=True)) for values in zip(*map(unbatched, target.values()), strict=True)]
    return list(target)


def to_numpy(value: Any) -> Any:
    """Tensors as numpy arrays, inside mappings and dataclasses too; half precision as
    float32. Anything else stays.
    """
    if isinstance(value, Mapping):
        return {name: to_numpy(each) for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: to_numpy(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    if not isinstance(value, Tensor):
        return value
    value = value.detach().cpu()
    return (value.float() if value.dtype in (torch.float16, torch.bfloat16) else value).numpy()
