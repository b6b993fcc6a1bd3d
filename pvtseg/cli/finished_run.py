"""A finished run, as the Python interface hands it over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pvtseg.load import load_predictor
from pvtseg.predictor import Predictor


@dataclass(frozen=True)
class Run:
    """What a training leaves.

    folder: with checkpoints, model.safetensors, metrics.json, logs and pictures.
    metrics: plain numbers by name, of the best checkpoint; empty without validation.
    checkpoint: the best, or the last without validation.
    """

    folder: Path
    checkpoint: Path
    metrics: dict[str, float] = field(default_factory=dict)

    def predictor(self, *, device: str = "cpu", **options: Any) -> Predictor:
        """The predictor of the best weights, from an image to a prediction in its own size.

        options: those of `load_predictor`, such as trust=["mine"] for parts of your own.
        """
        return load_predictor(self.checkpoint, device=device, **options)
