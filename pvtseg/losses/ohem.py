"""Online hard example mining: only badly classified pixels contribute to the loss
(https://arxiv.org/abs/1604.03540, section 4).

They are chosen as in mmsegmentation's OHEMPixelSampler.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers.row_chunks import over_upsampled_rows
from pvtseg.losses.cross_entropy import Average, CrossEntropy
from pvtseg.losses.pixels import labels_of


class OHEMCrossEntropy(nn.Module):
    """The mean cross-entropy of the pixels whose class has a probability below
    `threshold`: {"cross_entropy": scalar}.

    Logits (B, K, h, w), upsampled to the target's size; target (B, H, W) of class
    indices. min_kept: the hardest so many pixels per image of the batch contribute in
    any case. average: as in `CrossEntropy`, where the valid pixels are those that
    contribute; mmsegmentation's is "all". Other options as in `CrossEntropy`.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.7,
        min_kept: int = 100_000,
        ignore_index: int = 255,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        average: Average = "weights",
    ) -> None:
        super().__init__()
        if not 0 < threshold <= 1:
            raise UserError(f"loss.threshold={threshold} is not a probability; use a number above 0, up to 1.")
        if min_kept < 0:
            raise UserError(f"loss.min_kept={min_kept} is not a number of pixels; use 0 or more.")
        self.threshold = threshold
        self.min_kept = min_kept
        self.ignore_index = ignore_index
        self.cross_entropy = CrossEntropy(
            ignore_index=ignore_index, label_smoothing=label_smoothing, class_weights=class_weights, average=average
        )

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        return self.cross_entropy(logits, target.masked_fill(~self._is_hard(logits, target), self.ignore_index))

    @torch.no_grad()
    def _is_hard(self, logits: Tensor, target: Tensor) -> Tensor:
        """The pixels that contribute to the loss, (B, H, W)."""
        labels, valid = labels_of(target, logits.shape[1], self.ignore_index)

        def of_the_label(fine: Tensor, image: int, rows: slice) -> Tensor:
            return F.log_softmax(fine, dim=-1).gather(-1, labels[image, rows].unsqueeze(-1)).squeeze(-1)

        p = torch.cat(over_upsampled_rows(of_the_label, logits, target.shape[1:])).view(target.shape).exp()
        # the first easy probability in rising order; the largest one, if no valid pixel
        # is left beyond those kept
        last = p.masked_fill(~valid, -torch.inf).max()
        kept = min(self.min_kept * len(target), p.numel() - 1)
        first_easy = p.masked_fill(~valid, torch.inf).flatten().kthvalue(kept + 1).values.minimum(last)
        return valid & (p < first_easy.clamp_min(self.threshold))
