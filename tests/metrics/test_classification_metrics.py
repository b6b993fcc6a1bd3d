"""Top-1 and top-5 agree with torchmetrics."""

import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy

from pvtseg.errors import UserError
from pvtseg.metrics.classification import ClassificationMetrics


def measured(logits, target, num_classes):
    metrics = ClassificationMetrics(num_classes)
    for part in zip(logits.split(7), target.split(7), strict=True):
        metrics.update(*part)
    return {name: float(value) for name, value in metrics.compute().items()}


def test_the_figures_are_those_of_torchmetrics():
    logits, target = torch.randn(50, 20), torch.randint(20, (50,))
    theirs = {
        f"top{k}": float(MulticlassAccuracy(20, top_k=k, average="micro")(logits, target)) for k in (1, 5)
    }  # fmt: skip
    assert measured(logits, target, 20) == pytest.approx(theirs)
    assert measured(logits.softmax(dim=1), target, 20) == pytest.approx(theirs)


def test_with_fewer_than_five_classes_top5_looks_at_all():
    logits, target = torch.randn(30, 3), torch.randint(3, (30,))
    assert measured(logits, target, 3)["top5"] == 1
    assert "3 highest" in ClassificationMetrics(3).protocol["top5"]


def test_an_image_without_a_class_does_not_count():
    logits = torch.eye(6)
    target = torch.tensor([0, 1, 2, -1, -1, 0])
    assert measured(logits, target, 6)["top1"] == pytest.approx(3 / 4)


def test_logits_of_another_number_of_classes_are_refused():
    with pytest.raises(UserError, match=r"\(2, 10\) for 2 images and 20 classes"):
        ClassificationMetrics(20).update(torch.zeros(2, 10), torch.zeros(2).long())
