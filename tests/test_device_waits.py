"""No forward pass and no loss makes the host wait for the device.

A copy from the host and a value that is read back make a GPU's host wait. They are counted on the `meta` device, under a
dispatch mode that sees every operator, so that no GPU is needed.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

READS = {  # operators whose result, or its shape, depends on the values
    "_local_scalar_dense", "nonzero", "nonzero_static", "masked_select", "unique_consecutive", "unique_dim", "_unique",
    "_unique2", "item", "equal", "is_nonzero", "bincount", "histc", "repeat_interleave.Tensor",
}  # fmt: skip


class DeviceWaits(TorchDispatchMode):
    """Counts copies between the CPU and the meta device, and reads of values on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        inputs = [value for value in tree_flatten((args, kwargs or {}))[0] if isinstance(value, torch.Tensor)]
        name, on_device = func.overloadpacket.__name__, any(tensor.is_meta for tensor in inputs)
        if on_device and (name in READS or str(func).removeprefix("aten.") in READS):
            self.reads[name] += 1
        if on_device and name in ("index", "index_put", "index_put_"):
            indices = [index for index in args[1] if index is not None]
            self.reads[f"{name} by a mask"] += any(index.dtype in (torch.bool, torch.uint8) for index in indices)
        result = func(*args, **(kwargs or {}))
        outputs = [value for value in tree_flatten(result)[0] if isinstance(value, torch.Tensor)]
        if any(not tensor.is_meta for tensor in inputs) and any(tensor.is_meta for tensor in [*outputs, *inputs]):
            if name in ("_to_copy", "copy_", "_copy_from") or any(tensor.ndim for tensor in inputs if not tensor.is_meta):
                self.copies[name] += 1
        return result


def waits_of(function) -> tuple[int, int]:
    with DeviceWaits() as waits:
        function()
    return sum(waits.copies.values()), sum(waits.reads.values())
