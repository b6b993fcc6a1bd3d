"""What a target says about each pixel: its class, and whether it counts."""

from __future__ import annotations

import torch
from torch import Tensor

from pvtseg.errors import UserError


def labels_of(target: Tensor, num_classes: int, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Class indices, 0 where nothing counts, and where they count: target (B, H, W) -> two of that shape, int64 and bool.

    A label that is no class raises a UserError on the CPU; a GPU would have to wait at every step to look.
    """
    valid = torch.ones_like(target, dtype=torch.bool) if ignore_index is None else target != ignore_index
    labels = target.long().masked_fill(~valid, 0)
    check_range(labels, num_classes)
    return labels, valid


def check_range(target: Tensor, num_classes: int) -> None:
    """Raises UserError for a label outside of 0..num_classes - 1, where looking costs nothing."""
    if target.device.type != "cpu" or target.is_floating_point() or target.numel() == 0:
        return
    lowest, highest = map(int, target.aminmax())
    if lowest < 0 or highest >= num_classes:
        raise UserError(
            f"label {lowest if lowest < 0 else highest} in a target, where the classes are 0 to {num_classes - 1}; "
            f"map it to one of them or to the ignored label in the data config, or raise num_classes."
        )
