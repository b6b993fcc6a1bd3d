"""Class indices of a target's pixels, and which pixels are valid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pvtseg.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def labels_of(target: Tensor, num_classes: int, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Class indices, 0 at ignored pixels, and the valid pixels: target (B, H, W) ->
    that shape in int64 and in bool.

    Raises UserError for a label that is no class, on the CPU only: a GPU would have to
    wait at every step to look.
    """
    valid = torch.ones_like(target, dtype=torch.bool) if ignore_index is None else target != ignore_index
    labels = target.long().masked_fill(~valid, 0)
    check_range(labels, num_classes)
    return labels, valid


def check_range(target: Tensor, num_classes: int) -> None:
    """Raises UserError for a label outside of 0..num_classes - 1, on the CPU, where
    looking costs next to nothing.
    """
    if target.device.type != "cpu" or target.is_floating_point() or target.numel() == 0:
        return
    lowest, highest = map(int, target.aminmax())
    if lowest < 0 or highest >= num_classes:
        raise UserError(
            f"label {lowest if lowest < 0 else highest} in a target, where the classes are 0 to {num_classes - 1}; "
            f"map it to one of them or to the ignored label in the data config, or raise data.labels.num_classes."
        )


def class_weight_buffer(class_weights: Sequence[float] | None) -> Tensor | None:
    """The weights as a float32 tensor, to be registered as a buffer; None without
    weights.
    """
    return None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)


def check_class_weights(class_weights: Tensor | None, num_classes: int) -> None:
    """Raises UserError unless there is one weight for each class."""
    if class_weights is not None and len(class_weights) != num_classes:
        raise UserError(
            f"loss.class_weights has {len(class_weights)} numbers for {num_classes} classes; give one for each class."
        )
