"""A metric where less is better, and an inference with another brightness."""

from __future__ import annotations

import torch
from torchmetrics import Metric


class Distance(Metric):
    """The mean distance in pixels between the predicted and the true spot."""

    full_state_update = False
    per_class = {}
    protocol = {"distance": "mean over images of the distance in pixels"}

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, predictions: list, targets: list) -> None:
        for prediction, target in zip(predictions, targets, strict=True):
            self.total += (prediction.point - target.point).norm()
            self.count += 1

    def compute(self) -> dict[str, torch.Tensor]:
        return {"distance": self.total / self.count}


class TwoLooks:
    """Two views of the image: unchanged, and half as bright."""

    protocol = "two looks"
    ratios = None

    def __call__(self, model, batch: dict) -> list:
        return [model(batch["image"], batch["image_size"]), model(batch["image"] / 2, batch["image_size"])]
