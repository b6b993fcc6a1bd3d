"""The Lovász-Softmax loss: the Jaccard index, made continuous
(https://arxiv.org/abs/1705.08790, sections 2 and 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pvtseg.layers.precision import accurate_type, without_autocast
from pvtseg.layers.resize import resize
from pvtseg.layers.row_chunks import over_upsampled_rows
from pvtseg.losses.pixels import labels_of


class LovaszLoss(nn.Module):
    """The Lovász extension of 1 - IoU, averaged over the classes in the batch's
    targets: {"lovasz": scalar}.

    Logits (B, K, h, w), upsampled to the target's size; target (B, H, W) of class
    indices. The pixels of a batch are one set. ignore_index: pixels with this label do
    not count; None if all do. A batch without a valid pixel gives 0, and a gradient of
    0.

    A softmax needs all classes of a pixel, sorting needs all pixels of a class. So the
    sums of the softmax are computed first, in row chunks, then one class after the
    other. Memory at full resolution is about 100 bytes for each pixel, whatever the
    number of classes. On a GPU every class is sorted, because finding out which ones
    occur would synchronize the device.
    """

    def __init__(self, *, ignore_index: int | None = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        num_classes = logits.shape[1]
        labels, valid = labels_of(target, num_classes, self.ignore_index)
        labels = labels.masked_fill(~valid, -1)
        logits = logits.to(accurate_type(logits))
        log_sum = torch.cat(over_upsampled_rows(_log_sum, logits, target.shape[1:])).view(target.shape)
        occurs = valid.new_zeros(num_classes + 1).scatter_(0, labels.flatten() + 1, True)[1:]
        classes = _candidates(occurs)
        losses = [
            checkpoint(_loss_of_class, c, logits, log_sum, labels, use_reentrant=False, preserve_rng_state=False)
            for c in classes
        ]
        if not losses:  # on a CPU, without a valid pixel
            return {"lovasz": logits.sum() * 0}
        total = sum(loss * occurs[c] for c, loss in zip(classes, losses, strict=True))
        return {"lovasz": total / occurs.sum().clamp_min(1)}


def _candidates(occurs: Tensor) -> Sequence[int]:
    """The classes to sort: on a CPU, where looking costs next to nothing, those that
    occur; otherwise all.
    """
    return occurs.nonzero().flatten().tolist() if occurs.device.type == "cpu" else range(len(occurs))


def _log_sum(fine: Tensor, image: int, rows: slice) -> Tensor:  # noqa: ARG001 (the same for every chunk)
    return fine.logsumexp(dim=-1)


def _loss_of_class(index: int, logits: Tensor, log_sum: Tensor, labels: Tensor) -> Tensor:
    """The loss of one class: logits (B, K, h, w); the logarithm of the softmax's sum
    and the labels (B, H, W).

    Ignored pixels, whose label is -1, are sorted behind all others with an error of 0,
    so that they change nothing.
    """
    is_class, ignored = labels == index, labels < 0
    with without_autocast(logits):
        fine = resize(logits[:, index, None], labels.shape[1:]).squeeze(1)
        p = torch.exp(fine - log_sum)
        errors = torch.where(is_class, 1 - p, p)
        order = errors.detach().masked_fill(ignored, -1).flatten().argsort(descending=True)
        errors = errors.masked_fill(ignored, 0).flatten()[order]
        return errors @ _loss_steps(is_class.flatten()[order]).to(errors.dtype)


def _loss_steps(is_class: Tensor) -> Tensor:
    """The increase of 1 - IoU with each pixel that becomes wrong, in this order: (N,)
    bool -> (N,) (algorithm 1).
    """
    total = is_class.sum()
    intersection = total - is_class.cumsum(0)
    union = total + (~is_class).cumsum(0)
    loss = 1 - intersection.double() / union
    return loss.diff(prepend=loss.new_zeros(1))
