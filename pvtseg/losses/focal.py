"""The focal loss: cross-entropy in which well-classified pixels count less
(https://arxiv.org/abs/1708.02002, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers.row_chunks import over_upsampled_rows
from pvtseg.losses.pixels import check_class_weights, class_weight_buffer, labels_of


class FocalLoss(nn.Module):
    """-(1 - p) ** gamma * log(p), p the probability of a pixel's class, averaged over
    the valid pixels: {"focal": scalar}.

    Logits (B, K, h, w), upsampled to the target's size; target (B, H, W) of class
    indices. gamma: 0 is cross-entropy. class_weights: one factor for each class (the
    paper's alpha); the mean is still over the number of pixels. ignore_index: pixels
    with this label do not count; None if all do. A batch without a valid pixel gives 0,
    and a gradient of 0.
    """

    class_weights: Tensor | None

    def __init__(
        self, *, ignore_index: int | None = 255, gamma: float = 2.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if gamma < 0:
            raise UserError(f"loss.gamma={gamma} would favor well-classified pixels; use 0 or more.")
        self.ignore_index = ignore_index
        self.gamma = gamma
        self.register_buffer("class_weights", class_weight_buffer(class_weights), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        labels, valid = labels_of(target, logits.shape[1], self.ignore_index)
        check_class_weights(self.class_weights, logits.shape[1])
        fraction = valid / valid.sum().clamp_min(1)  # of each pixel in the mean
        if self.class_weights is not None:
            fraction = fraction * self.class_weights[labels]

        def focused(fine: Tensor, image: int, rows: slice) -> Tensor:
            log_p = F.log_softmax(fine, dim=-1).gather(-1, labels[image, rows].unsqueeze(-1)).squeeze(-1)
            missing = -torch.expm1(log_p)  # 1 - p, exact where p is nearly 1
            # a power below 1 has an infinite gradient at 0
            return -(missing.clamp_min(torch.finfo(fine.dtype).eps) ** self.gamma * log_p * fraction[image, rows]).sum()

        return {"focal": torch.stack(over_upsampled_rows(focused, logits, target.shape[1:])).sum()}
