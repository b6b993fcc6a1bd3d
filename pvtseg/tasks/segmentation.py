"""Semantic segmentation: logits to class indices, and their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from pvtseg.layers.upsampled_argmax import upsampled_argmax

if TYPE_CHECKING:
    from pvtseg.interfaces import LegendEntry, Size


class SegmentationPostProcess(nn.Module):
    """Logits (B, K, h, w) -> a segmentation map (height, width) int64 for each image.

    The logits are upsampled to the wanted size. The probabilities of several views are
    averaged at every pixel.
    """

    def forward(self, outputs: list[Tensor], sizes: list[Size]) -> list[Tensor]:
        return [
            upsampled_argmax([logits[index, None] for logits in outputs], size)[0] for index, size in enumerate(sizes)
        ]


class SegmentationVisualizer:
    """A segmentation map (H, W) in the palette of the data set, laid over the image;
    ignored pixels show the image.
    """

    def __init__(self, names: Sequence[str], palette: Sequence[Sequence[int]], *, opacity: float = 0.8) -> None:
        self.names = names
        self.opacity = opacity
        self._palette = np.array(palette, dtype=np.float32)

    def __call__(self, prediction: np.ndarray, image: np.ndarray) -> np.ndarray:
        known = (prediction >= 0) & (prediction < len(self._palette))
        colors = self._palette[np.where(known, prediction, 0)]
        overlay = self.opacity * colors + (1 - self.opacity) * image
        return np.where(known[..., None], overlay, image).astype(np.uint8)

    def legend(self, predictions: Sequence[np.ndarray] | None = None) -> list[LegendEntry]:
        shown = set(range(len(self.names)))
        if predictions is not None:
            shown = set().union(*(np.unique(prediction).tolist() for prediction in predictions))
        entries = zip(self.names, self._palette.astype(int).tolist(), strict=True)
        return [(name, tuple(color)) for index, (name, color) in enumerate(entries) if index in shown]
