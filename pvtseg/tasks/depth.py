"""Depth estimation: a depth map in meters at the image's size, and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers.precision import accurate_type

if TYPE_CHECKING:
    from pvtseg.interfaces import LegendEntry, Size

# Dark violet over red and orange to pale yellow: monotone in lightness, so it reads in
# gray and by color-blind eyes.
NEAR_TO_FAR = np.array(
    [
        (252, 253, 191),
        (254, 194, 135),
        (251, 136, 97),
        (229, 80, 100),
        (183, 55, 121),
        (129, 37, 129),
        (80, 18, 123),
        (28, 16, 68),
        (0, 0, 4),
    ],
    dtype=np.float32,
)
INVALID_COLOR = (128, 128, 128)


class DepthPostProcess(nn.Module):
    """Depth in meters (B, 1, h, w) -> a depth map (height, width) for each image;
    several views are averaged.

    interpolation: "bilinear", or "bicubic" as transformers' GLPN. Half precision is
    resized in float32.
    """

    def __init__(self, *, interpolation: Literal["bilinear", "bicubic"] = "bilinear") -> None:
        super().__init__()
        if interpolation not in ("bilinear", "bicubic"):
            raise UserError(f"postprocess.interpolation is {interpolation!r}; use bilinear or bicubic.")
        self.interpolation = interpolation

    def forward(self, outputs: list[Tensor], sizes: list[Size]) -> list[Tensor]:
        return [
            torch.stack([self._resized(depth[index, None], size) for depth in outputs]).mean(dim=0)
            for index, size in enumerate(sizes)
        ]

    def _resized(self, depth: Tensor, size: Size) -> Tensor:
        depth = depth.to(accurate_type(depth))
        if depth.shape[-2:] != tuple(size):
            depth = F.interpolate(depth, size=size, mode=self.interpolation, align_corners=False)
        return depth[0, 0]


class DepthVisualizer:
    """A depth map (H, W) in meters: near is bright, far is dark, on the scale of the
    range; invalid depth is gray.
    """

    def __init__(self, min_depth: float, max_depth: float) -> None:
        self.min_depth = min_depth
        self.max_depth = max_depth

    def __call__(self, prediction: np.ndarray, image: np.ndarray) -> np.ndarray:  # noqa: ARG002 (depth needs no image)
        return np.where((prediction > 0)[..., None], self._colors(prediction), INVALID_COLOR).astype(np.uint8)

    def legend(self, predictions: Sequence[np.ndarray] | None = None) -> list[LegendEntry]:  # noqa: ARG002
        meters = np.linspace(self.min_depth, self.max_depth, 6)
        scale: list[LegendEntry] = []
        for value in meters:
            red, green, blue = self._colors(value).astype(int).tolist()
            scale.append((f"{value:.1f} m", (red, green, blue)))
        return [*scale, ("invalid", INVALID_COLOR)]

    def _colors(self, meters: np.ndarray) -> np.ndarray:
        position = np.clip((meters - self.min_depth) / (self.max_depth - self.min_depth), 0, 1) * (len(NEAR_TO_FAR) - 1)
        lower = np.minimum(position.astype(int), len(NEAR_TO_FAR) - 2)
        weight = (position - lower)[..., None]
        return (1 - weight) * NEAR_TO_FAR[lower] + weight * NEAR_TO_FAR[lower + 1]
