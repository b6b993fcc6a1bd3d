"""Image classification: logits to class probabilities, and the class name as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from pvtseg.drawing import font
from pvtseg.layers.precision import accurate_type

if TYPE_CHECKING:
    from pvtseg.interfaces import LegendEntry, Size


class ClassificationPostProcess(nn.Module):
    """Logits (B, K) -> class probabilities (K,) for each image, in float32 or more;
    several views are averaged.
    """

    def forward(self, outputs: list[Tensor], sizes: list[Size]) -> list[Tensor]:  # noqa: ARG002 (one class at any size)
        views = [logits.to(accurate_type(logits)) for logits in outputs]
        return list(torch.stack([logits.softmax(dim=-1) for logits in views]).mean(dim=0))


class ClassificationVisualizer:
    """The name of a class, given as an index or as scores (K,), written onto the image."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __call__(self, prediction: np.ndarray, image: np.ndarray) -> np.ndarray:
        index = int(prediction) if np.ndim(prediction) == 0 else int(np.argmax(prediction))
        picture = Image.fromarray(image)
        draw = ImageDraw.Draw(picture)
        name = self.names[index] if 0 <= index < len(self.names) else "ignored"
        draw.rectangle(draw.textbbox((3, 3), name, font=font()), fill=(0, 0, 0))
        draw.text((3, 3), name, fill=(255, 255, 255), font=font())
        return np.asarray(picture)

    def legend(self, predictions: Sequence[np.ndarray] | None = None) -> list[LegendEntry]:  # noqa: ARG002
        return []
