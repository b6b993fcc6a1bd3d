"""The metrics of several tasks are those of each task alone, under its name."""

from __future__ import annotations

import pytest
import torch

from pvtseg.metrics.depth import DepthMetrics
from pvtseg.metrics.segmentation import SegmentationMetrics
from pvtseg.metrics.several import MetricsByName


def parts() -> dict:
    return {"segmentation": SegmentationMetrics(2, names=["wall", "sky"]), "depth": DepthMetrics(crop=None)}


def images(count: int = 3) -> tuple[list[dict], list[dict]]:
    """Predictions and targets by name, each image of a size of its own."""
    sizes = [(6 + index, 9) for index in range(count)]
    return tuple(
        [{"segmentation": torch.randint(2, size), "depth": 1 + 8 * torch.rand(size)} for size in sizes]
        for _ in range(2)
    )


def test_each_metric_is_that_of_its_task_alone():
    predictions, targets = images()
    together = MetricsByName(parts())
    for prediction, target in zip(predictions, targets, strict=True):
        together.update([prediction], [target])
    found = {name: float(value) for name, value in together.compute().items()}
    for name, alone in parts().items():
        alone.update([each[name] for each in predictions], [each[name] for each in targets])
        for key, value in alone.compute().items():
            assert found.pop(f"{name}/{key}") == pytest.approx(float(value), rel=1e-12)
    assert found == {}


def test_another_evaluation_starts_at_zero():
    metrics = MetricsByName(parts())
    first, second = images(), images()
    metrics.update(*first)
    metrics.reset()
    metrics.update(*second)
    alone = MetricsByName(parts())
    alone.update(*second)
    assert metrics.compute() == alone.compute()


def test_keys_of_one_class_and_the_protocol_go_by_name():
    metrics = MetricsByName(parts())
    assert metrics.per_class == {"segmentation/IoU/wall": "wall", "segmentation/IoU/sky": "sky"}
    metrics.update(*images())
    assert metrics.per_class.keys() <= metrics.compute().keys()
    assert metrics.protocol == {name: each.protocol for name, each in parts().items()}


def test_the_states_move_with_the_module_that_holds_them():
    metrics = MetricsByName(parts()).to("meta")
    assert metrics.metrics["segmentation"].confusion.device.type == "meta"
    assert metrics.metrics["depth"].sums.device.type == "meta"


class LargestDepth:
    """Metrics that are no module."""

    protocol = {"largest": "the largest predicted depth"}
    per_class: dict[str, str] = {}

    def __init__(self):
        self.reset()

    def update(self, predictions, targets):
        self.largest = max([self.largest, *(float(depth.max()) for depth in predictions)])

    def compute(self):
        return {"largest": self.largest}

    def reset(self):
        self.largest = 0.0


def test_metrics_that_are_no_module_will_do():
    metrics = MetricsByName({"depth": LargestDepth()})
    metrics.update([{"depth": torch.tensor([[3.0]])}], [{"depth": torch.tensor([[2.0]])}])
    assert metrics.compute() == {"depth/largest": 3.0}
    metrics.reset()
    assert metrics.compute() == {"depth/largest": 0.0}
