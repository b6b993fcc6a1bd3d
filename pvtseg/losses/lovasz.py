"""The Lovász-Softmax loss: the Jaccard index, made continuous (https://arxiv.org/abs/1705.08790, sections 2 and 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pvtseg.layers.resize import resize
from pvtseg.layers.upsampling import accurate_type
from pvtseg.losses.banded import in_bands
from pvtseg.losses.pixels import labels_of


class Lovasz(nn.Module):
    """The Lovász extension of 1 - IoU of each class that the batch's targets contain, averaged over them.

    Logits (B, K, h, w), upsampled to the target's size, target (B, H, W) of class indices -> a scalar; the pixels of a batch are
    one set. ignore_index: pixels with this label do not count; None if all do. A batch without a valid pixel gives 0, and a
    gradient of 0.

    A softmax needs all classes of a pixel, the sorting all pixels of a class. So the sums of the softmax are found in bands of
    rows first, and then one class after another: memory at full resolution is that of a few classes, not of all.
    """

    name = "lovasz"

    def __init__(self, *, ignore_index: int | None = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        labels, valid = labels_of(target, logits.shape[1], self.ignore_index)
        logits = logits.to(accurate_type(logits))
        log_sum = torch.cat(in_bands(logits, target.shape[1:], _log_sum)).view(target.shape)[valid]
        labels = labels[valid]
        losses = [
            checkpoint(_loss_of, c, logits, log_sum, labels, valid, use_reentrant=False, preserve_rng_state=False)
            for c in labels.unique().tolist()
        ]
        return torch.stack(losses).mean() if losses else logits.sum() * 0


def _log_sum(fine: Tensor, image: int, rows: slice) -> Tensor:  # noqa: ARG001 (the same wherever the band is)
    return fine.logsumexp(dim=-1)


def _loss_of(index: int, logits: Tensor, log_sum: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
    """One class: logits (B, K, h, w); of the N valid pixels the logarithm of the softmax's sum and the label, (N,)."""
    is_class = labels == index
    with torch.autocast(logits.device.type, enabled=False):
        fine = resize(logits[:, index, None], valid.shape[1:]).squeeze(1)
        p = torch.exp(fine[valid] - log_sum)
        errors, order = torch.where(is_class, 1 - p, p).sort(descending=True)
        return errors @ _steps(is_class[order]).to(errors.dtype)


def _steps(is_class: Tensor) -> Tensor:
    """By how much 1 - IoU grows with each pixel that is taken for wrong, in this order: (N,) bool -> (N,) (algorithm 1)."""
    total = is_class.sum()
    intersection = total - is_class.cumsum(0)
    union = total + (~is_class).cumsum(0)
    loss = 1 - intersection.double() / union
    return loss.diff(prepend=loss.new_zeros(1))
