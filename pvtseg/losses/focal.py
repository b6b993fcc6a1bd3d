"""The focal loss: cross-entropy that lets go of what is learned already (https://arxiv.org/abs/1708.02002, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.losses.banded import in_bands
from pvtseg.losses.pixels import labels_of


class Focal(nn.Module):
    """-(1 - p) ** gamma * log(p), p the probability of a pixel's class, averaged over the valid pixels.

    Logits (B, K, h, w), upsampled to the target's size, target (B, H, W) of class indices -> a scalar. gamma: 0 is
    cross-entropy. class_weights: K factors, one a class (the paper's alpha); the mean is still one over pixels. ignore_index:
    pixels with this label do not count; None if all do. A batch without a valid pixel gives 0, and a gradient of 0.
    """

    name = "focal"
    class_weights: Tensor | None

    def __init__(
        self, *, ignore_index: int | None = 255, gamma: float = 2.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if gamma < 0:
            raise UserError(f"gamma={gamma} would favor what is learned already; use 0 or more.")
        self.ignore_index = ignore_index
        self.gamma = gamma
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        labels, valid = labels_of(target, logits.shape[1], self.ignore_index)
        share = valid / valid.sum().clamp_min(1)  # of each pixel in the mean
        if self.class_weights is not None:
            if len(self.class_weights) != logits.shape[1]:
                raise UserError(f"{len(self.class_weights)} class_weights for {logits.shape[1]} classes; give each class one.")
            share = share * self.class_weights[labels]

        def focused(fine: Tensor, image: int, rows: slice) -> Tensor:
            log_p = F.log_softmax(fine, dim=-1).gather(-1, labels[image, rows].unsqueeze(-1)).squeeze(-1)
            missing = -torch.expm1(log_p)  # 1 - p, exact where p is nearly 1
            # a power below 1 is infinitely steep at 0, where nothing is left to learn
            return -(missing.clamp_min(torch.finfo(fine.dtype).eps) ** self.gamma * log_p * share[image, rows]).sum()

        return torch.stack(in_bands(logits, target.shape[1:], focused)).sum()
