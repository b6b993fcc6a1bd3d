"""Online hard example mining: only the pixels that are not learned yet teach (https://arxiv.org/abs/1604.03540, section 4).

They are chosen as mmsegmentation's OHEMPixelSampler does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.losses.banded import in_bands
from pvtseg.losses.cross_entropy import CrossEntropy
from pvtseg.losses.pixels import labels_of


class HardCrossEntropy(nn.Module):
    """The mean cross-entropy over the pixels whose class has a probability below `threshold`.

    Logits (B, K, h, w), upsampled to the target's size, target (B, H, W) of class indices -> a scalar. min_kept: so many pixels
    per image of the batch teach in any case, the hardest of them all. average: "valid" is the mean over the pixels that teach,
    "all" divides by all pixels, as mmsegmentation does. Other options as in `CrossEntropy`.
    """

    name = "cross_entropy"

    def __init__(
        self,
        *,
        threshold: float = 0.7,
        min_kept: int = 100_000,
        ignore_index: int = 255,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        average: Literal["valid", "all"] = "valid",
    ) -> None:
        super().__init__()
        if not 0 < threshold <= 1 or min_kept < 0:
            raise UserError(f"threshold={threshold}, min_kept={min_kept}; use a probability in 0..1 and a number of pixels.")
        self.threshold = threshold
        self.min_kept = min_kept
        self.ignore_index = ignore_index
        self.cross_entropy = CrossEntropy(
            ignore_index=ignore_index, label_smoothing=label_smoothing, class_weights=class_weights, average=average
        )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return self.cross_entropy(logits, target.masked_fill(~self._is_hard(logits, target), self.ignore_index))

    @torch.no_grad()
    def _is_hard(self, logits: Tensor, target: Tensor) -> Tensor:
        """Which pixels teach, (B, H, W)."""
        labels, valid = labels_of(target, logits.shape[1], self.ignore_index)

        def of_the_label(fine: Tensor, image: int, rows: slice) -> Tensor:
            return F.log_softmax(fine, dim=-1).gather(-1, labels[image, rows].unsqueeze(-1)).squeeze(-1)

        p = torch.cat(in_bands(logits, target.shape[1:], of_the_label)).view(target.shape).exp()
        known = p[valid]
        if len(known) == 0:
            return valid
        kept = min(self.min_kept * len(target), len(known) - 1)
        return valid & (p < known.kthvalue(kept + 1).values.clamp_min(self.threshold))
