"""Several tasks on one encoder: predictions and pictures by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

if TYPE_CHECKING:
    from pvtseg.interfaces import LegendEntry, Outputs, PostProcess, Size, Visualizer


class PostProcesses(nn.ModuleDict):
    """A postprocess for each name: outputs by name -> predictions by name, one mapping
    per image.
    """

    def forward(self, outputs: list[Mapping[str, Outputs]], sizes: list[Size]) -> list[dict[str, Any]]:
        predictions = {name: postprocess([each[name] for each in outputs], sizes) for name, postprocess in self.items()}
        return [dict(zip(predictions, image, strict=True)) for image in zip(*predictions.values(), strict=True)]


class OfHead(nn.Module):
    """The postprocess of one head of several: the other heads are auxiliary."""

    def __init__(self, name: str, postprocess: PostProcess) -> None:
        super().__init__()
        self.name = name
        self.postprocess = postprocess

    def forward(self, outputs: list[Mapping[str, Outputs]], sizes: list[Size]) -> list[Any]:
        return self.postprocess([each[self.name] for each in outputs], sizes)


class Visualizers:
    """A visualizer for each name: predictions by name -> their pictures side by side."""

    def __init__(self, visualizers: Mapping[str, Visualizer]) -> None:
        self.visualizers = dict(visualizers)

    def __call__(self, prediction: Mapping[str, Any], image: np.ndarray) -> np.ndarray:
        pictures = [
            visualizer(prediction[name], image) for name, visualizer in self.visualizers.items() if name in prediction
        ]
        return np.concatenate(pictures, axis=1)

    def legend(self, predictions: Sequence[Mapping[str, Any]] | None = None) -> list[LegendEntry]:
        entries: list[LegendEntry] = []
        for name, visualizer in self.visualizers.items():
            of_task = None if predictions is None else [each[name] for each in predictions if name in each]
            entries += visualizer.legend(of_task)
        return entries
