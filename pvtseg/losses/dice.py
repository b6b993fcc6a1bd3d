"""The Dice loss, which weighs small and large regions alike (V-Net,
https://arxiv.org/abs/1606.04797, section 3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvtseg.layers.row_chunks import over_upsampled_rows
from pvtseg.losses.pixels import labels_of


class DiceLoss(nn.Module):
    """1 - 2 * overlap / (predicted + labeled), averaged over the classes in the batch's
    targets: {"dice": scalar}.

    Logits (B, K, h, w), upsampled to the target's size; target (B, H, W) of class
    indices. The three areas of a class are sums over the batch; the predicted one and
    the overlap are sums of probabilities. ignore_index: pixels with this label do not
    count; None if all do. smooth: pixels that are added to numerator and denominator. A
    batch without a valid pixel gives 0, and a gradient of 0.
    """

    def __init__(self, *, ignore_index: int | None = 255, smooth: float = 1.0) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        labels, valid = labels_of(target, logits.shape[1], self.ignore_index)

        def areas(fine: Tensor, image: int, rows: slice) -> Tensor:
            """Overlap, predicted and labeled area of each class, (3, K)."""
            counted = valid[image, rows].unsqueeze(-1)
            p = fine.softmax(dim=-1) * counted
            label = labels[image, rows].unsqueeze(-1)
            on_label = torch.zeros_like(p).scatter(-1, label, p.gather(-1, label))
            labeled = torch.zeros_like(p).scatter(-1, label, counted.to(p.dtype))
            return torch.stack([on_label, p, labeled]).sum(dim=(1, 2))

        overlap, predicted, labeled = torch.stack(over_upsampled_rows(areas, logits, target.shape[1:])).sum(dim=0)
        loss = 1 - (2 * overlap + self.smooth) / (predicted + labeled + self.smooth)
        occurs = labeled > 0
        return {"dice": loss.masked_fill(~occurs, 0).sum() / occurs.sum().clamp_min(1)}
