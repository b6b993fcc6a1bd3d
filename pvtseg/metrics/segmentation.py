"""The metrics of semantic segmentation, as mmsegmentation computes them.

(https://github.com/open-mmlab/mmsegmentation/blob/main/mmseg/evaluation/metrics/iou_metric.py)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from pvtseg.interfaces import UserError


class SegmentationMetrics(Metric):
    """mIoU, mAcc, aAcc and the IoU of each class, from one confusion matrix over the data set.

    update takes labels, prediction and target (B, H, W), any integer type, at the target's own size. Pixels whose target is
    `ignore_index`, or no class at all, do not count. compute gives ratios in 0..1, float64: `mIoU`, `mAcc`, `aAcc` and
    `IoU/<name>`. The IoU of a class that neither the predictions nor the targets contain is nan, and outside the mean; one
    that is predicted but nowhere in the targets has an IoU of 0, inside the mean.

    names: of the classes, in order; their numbers where none are given.
    """

    full_state_update = False
    higher_is_better = True
    monitor: ClassVar[str] = "mIoU"
    mode: ClassVar[str] = "max"

    confusion: Tensor

    def __init__(self, num_classes: int, *, ignore_index: int | None = 255, names: Sequence[str] | None = None) -> None:
        super().__init__()
        names = list(names) if names else [str(index) for index in range(num_classes)]
        if len(names) != num_classes:
            raise UserError(f"{len(names)} names for {num_classes} classes; give one name a class.")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.names = names
        # rows: target, columns: prediction. The last column holds predictions that are no class: wrong, but none's union
        self.add_state("confusion", torch.zeros(num_classes, num_classes + 1, dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, str | int | None]:
        """How the numbers came about, for whoever compares them."""
        return {
            "mIoU": "mean over the classes that occur, one confusion matrix over the data set (mmseg's rule)",
            "mAcc": "mean over the classes that occur in the targets",
            "aAcc": "share of the counted pixels that are right",
            "ignore_index": self.ignore_index,
        }

    def update(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.shape != target.shape:
            raise UserError(
                f"a prediction of shape {tuple(prediction.shape)} for a target of {tuple(target.shape)}; "
                f"give labels (B, H, W) at the target's size."
            )
        num_classes, num_columns = self.confusion.shape
        prediction, target = prediction.long(), target.long()
        counted = (target >= 0) & (target < num_classes)
        if self.ignore_index is not None:
            counted &= target != self.ignore_index
        column = torch.where((prediction >= 0) & (prediction < num_classes), prediction, num_classes)
        # pixels that do not count fall into one cell too many: picking them out would make a GPU wait
        cell = torch.where(counted, target * num_columns + column, num_classes * num_columns)
        counts = torch.bincount(cell.flatten(), minlength=num_classes * num_columns + 1)
        self.confusion += counts[:-1].view_as(self.confusion)

    def compute(self) -> dict[str, Tensor]:
        confusion = self.confusion.double()
        hit = confusion[:, :-1].diagonal()
        in_target = confusion.sum(dim=1)
        in_prediction = confusion[:, :-1].sum(dim=0)
        iou = hit / (in_target + in_prediction - hit)  # 0 / 0 is nan: the class does not occur
        summary = {"mIoU": iou.nanmean(), "mAcc": (hit / in_target).nanmean(), "aAcc": hit.sum() / in_target.sum()}
        return summary | {f"IoU/{name}": value for name, value in zip(self.names, iou, strict=True)}
