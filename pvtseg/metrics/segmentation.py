"""The metrics of semantic segmentation, as mmsegmentation computes them.

(https://github.com/open-mmlab/mmsegmentation/blob/main/mmseg/evaluation/metrics/iou_metric.py)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from pvtseg.errors import UserError


class SegmentationMetrics(Metric):
    """mIoU, mAcc, aAcc and the IoU of each class, from one confusion matrix over the
    data set.

    update takes two segmentation maps (H, W) of any integer type for each image, the
    prediction at the target's own size. Pixels whose target is `ignore_index`, or no
    class at all, do not count. compute gives ratios in 0..1, float64: `mIoU`, `mAcc`,
    `aAcc` and `IoU/<name>`. A class that neither targets nor predictions contain has an
    IoU of nan and is left out of the mean; one that is predicted but in no target has
    an IoU of 0 and is in the mean.

    names: of the classes, in order; their numbers where none are given.
    """

    full_state_update = False

    confusion: Tensor

    def __init__(self, num_classes: int, *, ignore_index: int | None = 255, names: Sequence[str] | None = None) -> None:
        super().__init__()
        names = list(names) if names else [str(index) for index in range(num_classes)]
        if len(set(names)) != num_classes or len(names) != num_classes:
            raise UserError(
                f"{len(names)} names, {len(set(names))} different, for {num_classes} classes; give each class its own."
            )
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.names = names
        # rows: target, columns: prediction, and one column more for predictions that
        # are no class
        self.add_state("confusion", torch.zeros(num_classes, num_classes + 1, dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, Any]:
        """The measurement rules, as plain values for metrics.json."""
        return {
            "mIoU": "mean over the classes that occur, one confusion matrix over the data set (mmseg's rule)",
            "mAcc": "mean over the classes that occur in the targets",
            "aAcc": "fraction of the counted pixels that are right",
            "ignore_index": self.ignore_index,
        }

    @property
    def per_class(self) -> dict[str, str]:
        """The key of each class's IoU -> the class name."""
        return {f"IoU/{name}": name for name in self.names}

    def update(self, predictions: list[Tensor], targets: list[Tensor]) -> None:
        for prediction, target in zip(predictions, targets, strict=True):
            self._count(prediction.to(self.confusion.device), target.to(self.confusion.device))

    def _count(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.shape != target.shape:
            raise UserError(
                f"a prediction of shape {tuple(prediction.shape)} for a target of {tuple(target.shape)}; "
                f"give a segmentation map (H, W) at the target's size."
            )
        num_classes, num_columns = self.confusion.shape
        prediction, target = prediction.long(), target.long()
        counted = (target >= 0) & (target < num_classes)
        if self.ignore_index is not None:
            counted &= target != self.ignore_index
        column = torch.where((prediction >= 0) & (prediction < num_classes), prediction, num_classes)
        cell = torch.where(counted, target * num_columns + column, 0)
        # adds 0 for pixels that do not count, because a GPU would have to wait for
        # their selection, or for bincount
        self.confusion.view(-1).scatter_add_(0, cell.flatten(), counted.long().flatten())

    def compute(self) -> dict[str, Tensor]:
        confusion = self.confusion.cpu().double()  # Apple's GPUs have no float64
        hit = confusion[:, :-1].diagonal()
        in_target = confusion.sum(dim=1)
        in_prediction = confusion[:, :-1].sum(dim=0)
        iou = hit / (in_target + in_prediction - hit)  # 0 / 0 is nan: the class does not occur
        summary = {"mIoU": iou.nanmean(), "mAcc": (hit / in_target).nanmean(), "aAcc": hit.sum() / in_target.sum()}
        return summary | {f"IoU/{name}": value for name, value in zip(self.names, iou, strict=True)}
