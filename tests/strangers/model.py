"""A backbone of two maps, and a head that reads a point off the last one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TwoMaps(nn.Module):
    """Image (B, 3, H, W) -> maps at strides 4 and 8."""

    in_channels = 3
    channels = (8, 12)
    strides = (4, 8)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 5, stride=4, padding=2)
        self.second = nn.Conv2d(8, 12, 3, stride=2, padding=1)

    def forward(self, image: Tensor) -> list[Tensor]:
        first = self.first(image).relu()
        return [first, self.second(first).relu()]


class PointHead(nn.Module):
    """Maps -> the center of attention (B, 2), as fractions of width and height."""

    def __init__(self, in_channels) -> None:
        super().__init__()
        self.attend = nn.Conv2d(in_channels[-1], 1, 1)

    def forward(self, features: list[Tensor], image_size=None) -> Tensor:
        scores = self.attend(features[-1])
        height, width = scores.shape[-2:]
        weights = scores.flatten(1).softmax(dim=1)
        rows = (torch.arange(height, device=scores.device) + 0.5) / height
        columns = (torch.arange(width, device=scores.device) + 0.5) / width
        grid = torch.stack([columns.repeat(height), rows.repeat_interleave(width)], dim=1)
        return weights @ grid.to(weights.dtype)


class PointLoss(nn.Module):
    """The distance between points, in pixels of an image of `size` (height, width)."""

    def __init__(self, size: list[int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, outputs: Tensor, target: list) -> dict[str, Tensor]:
        points = torch.stack([spot.point for spot in target])
        height, width = self.size
        return {"distance": (outputs * outputs.new_tensor([width, height]) - points).abs().mean()}


class MapLoss(nn.Module):
    """The mean square of logits, for any target: it gives no useful gradient and fits every head
    of maps.
    """

    def forward(self, outputs: Tensor, target) -> dict[str, Tensor]:
        return {"square": outputs.square().mean()}
