"""Top-1 and top-5 accuracy (https://arxiv.org/abs/1409.0575, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from pvtseg.errors import UserError


class ClassificationMetrics(Metric):
    """The fraction of images whose class has the highest score (`top1`), or one of the
    five highest (`top5`).

    update takes scores (num_classes,) and a class index for each image. With fewer than
    five classes `top5` looks at all of them. An image whose target is no class, such as
    -1, does not count. compute gives ratios in 0..1, float64; nan where no image
    counted.
    """

    full_state_update = False
    per_class: Mapping[str, str] = {}

    hits: Tensor
    num_images: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("hits", torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("num_images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, Any]:
        """The measurement rules, as plain values for metrics.json."""
        return {
            "top1": "fraction of images whose class has the highest score",
            "top5": f"fraction of images whose class is among the {min(5, self.num_classes)} highest scores",
        }

    def update(self, predictions: list[Tensor], targets: list[Tensor]) -> None:
        wrong = next((scores for scores in predictions if scores.shape != (self.num_classes,)), None)
        if wrong is not None or len(predictions) != len(targets):
            shape = tuple(predictions[0].shape if wrong is None else wrong.shape)
            raise UserError(
                f"{len(predictions)} predictions of shape {shape} for {len(targets)} targets and {self.num_classes} "
                f"classes; give scores ({self.num_classes},) for each image."
            )
        device = self.hits.device
        target = torch.stack([torch.as_tensor(each, device=device) for each in targets])
        likeliest = (
            torch.stack([scores.to(device) for scores in predictions]).topk(min(5, self.num_classes), dim=1).indices
        )
        hit = likeliest == target[:, None]
        self.hits += torch.stack([hit[:, 0].sum(), hit.sum()])
        self.num_images += ((target >= 0) & (target < self.num_classes)).sum()

    def compute(self) -> dict[str, Tensor]:
        top1, top5 = self.hits.cpu().double() / self.num_images.cpu()
        return {"top1": top1, "top5": top5}
