"""Top-1 and top-5 agree with torchmetrics."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy

from pvtseg.errors import UserError
from pvtseg.metrics.classification import ClassificationMetrics


def measured(scores, target, num_classes):
    metrics = ClassificationMetrics(num_classes)
    for part in zip(scores.split(7), target.split(7), strict=True):
        metrics.update(*map(list, part))
    return {name: float(value) for name, value in metrics.compute().items()}


def test_the_metrics_are_those_of_torchmetrics():
    scores, target = torch.randn(50, 20), torch.randint(20, (50,))
    theirs = {
        f"top{k}": float(MulticlassAccuracy(20, top_k=k, average="micro")(scores, target)) for k in (1, 5)
    }  # fmt: skip
    assert measured(scores, target, 20) == pytest.approx(theirs)
    assert measured(scores.softmax(dim=1), target, 20) == pytest.approx(theirs)


def test_a_target_may_be_a_plain_number():
    metrics = ClassificationMetrics(6)
    metrics.update(list(torch.eye(6)[:2]), [0, 3])
    assert metrics.compute()["top1"] == 0.5


def test_with_fewer_than_five_classes_top5_looks_at_all():
    scores, target = torch.randn(30, 3), torch.randint(3, (30,))
    assert measured(scores, target, 3)["top5"] == 1
    assert "3 highest" in ClassificationMetrics(3).protocol["top5"]


@pytest.mark.parametrize("ignored", [-1, 6, 255])
def test_an_image_whose_target_is_no_class_does_not_count(ignored):
    scores = torch.eye(6)
    target = torch.tensor([0, 1, 2, ignored, ignored, 0])
    assert measured(scores, target, 6)["top1"] == pytest.approx(3 / 4)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_without_an_image_everything_is_nan():
    assert all(value.isnan() for value in ClassificationMetrics(3).compute().values())


def test_scores_of_another_number_of_classes_are_refused():
    with pytest.raises(
        UserError, match=r"2 predictions of shape \(10,\) for 2 targets and 20 classes; give scores \(20,\)"
    ):
        ClassificationMetrics(20).update(list(torch.zeros(2, 10)), list(torch.zeros(2).long()))


def test_another_number_of_targets_is_refused():
    with pytest.raises(UserError, match=r"2 predictions of shape \(4,\) for 3 targets"):
        ClassificationMetrics(4).update(list(torch.zeros(2, 4)), list(torch.zeros(3).long()))
