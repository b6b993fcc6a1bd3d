"""Top-1 and top-5 accuracy (https://arxiv.org/abs/1409.0575, section 4.1)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from pvtseg.errors import UserError


class ClassificationMetrics(Metric):
    """The share of images whose class is the likeliest (`top1`), or among the five likeliest (`top5`).

    update takes logits or probabilities (B, num_classes) and class indices (B,). With fewer than five classes `top5`
    looks at all of them. An image whose target is no class, such as -1, does not count. compute gives ratios in 0..1,
    float64; nan where no image counted.
    """

    full_state_update = False
    higher_is_better = True
    monitor: ClassVar[str] = "top1"
    mode: ClassVar[str] = "max"

    hits: Tensor
    num_images: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("hits", torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("num_images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, str | int]:
        """How the numbers came about, for whoever compares them."""
        return {
            "top1": "share of images whose class has the highest score",
            "top5": f"share of images whose class is among the {min(5, self.num_classes)} highest scores",
        }

    def update(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.shape != (len(target), self.num_classes):
            raise UserError(
                f"a prediction of shape {tuple(prediction.shape)} for {len(target)} images and {self.num_classes} "
                f"classes; give logits or probabilities ({len(target)}, {self.num_classes})."
            )
        likeliest = prediction.topk(min(5, self.num_classes), dim=1).indices
        hit = likeliest == target[:, None]
        self.hits += torch.stack([hit[:, 0].sum(), hit.sum()])
        self.num_images += ((target >= 0) & (target < self.num_classes)).sum()

    def compute(self) -> dict[str, Tensor]:
        top1, top5 = self.hits.cpu().double() / self.num_images.cpu()
        return {"top1": top1, "top5": top5}
