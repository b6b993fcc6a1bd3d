"""The metrics of several tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from pvtseg.interfaces import Metrics


class MetricsByName(nn.Module):
    """Metrics for each name: predictions and targets by name -> `<name>/<key>` of every
    metric.
    """

    def __init__(self, metrics: Mapping[str, Metrics]) -> None:
        super().__init__()
        self.metrics = dict(metrics)
        for name, each in metrics.items():
            if isinstance(each, nn.Module):
                self.add_module(name, each)

    @property
    def protocol(self) -> dict[str, Any]:
        """The measurement rules, as plain values for metrics.json, by name."""
        return {name: dict(each.protocol) for name, each in self.metrics.items()}

    @property
    def per_class(self) -> dict[str, str]:
        """The keys that belong to one class -> the class name."""
        return {f"{name}/{key}": of for name, each in self.metrics.items() for key, of in each.per_class.items()}

    def update(self, predictions: list[Mapping[str, Any]], targets: list[Mapping[str, Any]]) -> None:
        for name, each in self.metrics.items():
            each.update([prediction[name] for prediction in predictions], [target[name] for target in targets])

    def compute(self) -> dict[str, Any]:
        return {f"{name}/{key}": value for name, each in self.metrics.items() for key, value in each.compute().items()}

    def reset(self) -> None:
        for each in self.metrics.values():
            each.reset()
