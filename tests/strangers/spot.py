"""The target and the prediction of the task, and what belongs to that kind of target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn


@dataclass
class Spot:
    """A point of an image in pixels, (x, y)."""

    point: Tensor


class SpotPostProcess(nn.Module):
    """Points (B, 2) as fractions of the image -> a Spot in pixels for each image."""

    def forward(self, outputs: list[Tensor], sizes: list[tuple[int, int]]) -> list[Spot]:
        points = sum(outputs) / len(outputs)
        return [
            Spot(point * point.new_tensor([width, height]))
            for point, (height, width) in zip(points, sizes, strict=True)
        ]


class SpotVisualizer:
    """A red square around the spot."""

    def __call__(self, prediction: Spot, image: np.ndarray) -> np.ndarray:
        picture = image.copy()
        x, y = np.asarray(prediction.point).round().astype(int)
        picture[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = (255, 0, 0)
        return picture

    def legend(self, predictions=None) -> list[tuple[str, tuple[int, int, int]]]:
        return [("spot", (255, 0, 0))]
