"""Segmentation metrics agree with brute force, torchmetrics and ADE20K's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.classification import MulticlassJaccardIndex

from pvtseg.errors import UserError
from pvtseg.metrics.segmentation import SegmentationMetrics


def brute_force(batches, num_classes):
    """mmseg's rule: for each class the areas of intersection, prediction and target."""
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
        metrics.update(list(prediction), list(target))
    return metrics.compute()


@pytest.mark.parametrize("make", [random_batches, absent_classes, one_class])
def test_the_metrics_are_those_of_brute_force(make):
    batches = make()
    ours, (summary, iou) = measured(batches), brute_force(batches, 6)
    assert {name: float(ours[name]) for name in summary} == pytest.approx(summary, rel=1e-12)
    np.testing.assert_allclose([float(ours[f"IoU/{c}"]) for c in range(6)], iou, rtol=1e-12)


@pytest.mark.parametrize("make", [random_batches, absent_classes, one_class])
def test_miou_is_the_macro_jaccard_index_of_torchmetrics(make):
    batches = make()
    jaccard = MulticlassJaccardIndex(6, average="macro", ignore_index=255)
    for prediction, target in batches:
        jaccard.update(prediction, target)
    assert float(measured(batches)["mIoU"]) == pytest.approx(float(jaccard.compute()), rel=1e-6)


def test_each_image_may_have_a_size_of_its_own():
    batches = [
        tuple(each.flatten()[: height * width].view(1, height, width) for each in batch)
        for batch, (height, width) in zip(random_batches(), [(4, 30), (20, 6), (11, 13)], strict=True)
    ]
    metrics = SegmentationMetrics(6)
    metrics.update([prediction[0] for prediction, _ in batches], [target[0] for _, target in batches])
    expected, _ = brute_force(batches, 6)
    found = metrics.compute()
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected, rel=1e-12)


def test_one_matrix_for_the_data_set_is_not_a_mean_over_images():
    batches = random_batches()
    separately = [float(measured([batch])["mIoU"]) for batch in batches]
    assert float(measured(batches)["mIoU"]) != pytest.approx(sum(separately) / len(separately), rel=1e-6)


def test_a_class_that_is_nowhere_is_nan_and_one_that_is_only_predicted_is_zero():
    found = measured(absent_classes())
    assert found["IoU/1"].isnan()
    assert found["IoU/2"] == 0
    assert found["IoU/3"] == 0
    assert float(found["mIoU"]) == pytest.approx((1 / 3 + 0 + 0 + 2 / 3 + 1) / 5)


@pytest.mark.needs_shared
def test_ade20ks_own_predictions_have_ade20ks_own_metrics(shared):
    """The benchmark's README: pixel accuracy 100.00%, mean IoU 0.1000.

    An absent class counts as 0 there.
    """
    metrics = SegmentationMetrics(150)
    for path in sorted((shared / "ADEChallengeData2016/annotations/validation").glob("*.png")):
        prediction, target = (
            torch.from_numpy(np.array(Image.open(file))).long() - 1  # 0, "other", becomes -1: no class
            for file in (shared / "ade20k_predictions" / path.name, path)
        )
        metrics.update([prediction], [target])
    found = metrics.compute()
    each = torch.stack([found[f"IoU/{c}"] for c in range(150)])
    assert f"{100 * found['aAcc']:.2f}" == "100.00"
    assert f"{each.nan_to_num(0).mean():.4f}" == "0.1000"


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_without_a_counted_pixel_everything_is_nan():
    target = torch.full((1, 3, 3), 255)
    assert all(value.isnan() for value in measured([(torch.zeros_like(target), target)]).values())
    assert all(value.isnan() for value in measured([]).values())


def test_predictions_that_are_no_class_are_wrong_but_in_no_classs_union():
    target = torch.tensor([[[0, 0, 1, 1]]])
    found = measured([(torch.tensor([[[0, 7, 255, -3]]]), target)])
    assert found["aAcc"] == 0.25
    assert found["IoU/0"] == 0.5
    assert found["IoU/1"] == 0


def test_targets_that_are_no_class_do_not_count():
    target = torch.tensor([[[0, 0, -1, 6]]])
    assert measured([(torch.zeros_like(target), target)])["aAcc"] == 1


def test_any_integer_type_will_do():
    batches = random_batches()
    wide = measured(batches)
    narrow = measured([(prediction.to(torch.int32), target.to(torch.uint8)) for prediction, target in batches])
    assert all(torch.equal(wide[name], narrow[name]) or wide[name].isnan() for name in wide)


def test_counts_beyond_what_float32_can_count_stay_exact():
    metrics = SegmentationMetrics(2)
    metrics.confusion[0, 0] = 2**40
    metrics.update([torch.tensor([[1]])], [torch.tensor([[0]])])
    assert metrics.confusion.tolist() == [[2**40, 1, 0], [0, 0, 0]]
    assert 0 < 1 - metrics.compute()["IoU/0"] < 1e-11


def test_classes_go_by_their_names():
    metrics = SegmentationMetrics(2, names=["wall", "sky"])
    metrics.update([torch.tensor([[0, 1]])], [torch.tensor([[0, 0]])])
    assert list(metrics.compute()) == ["mIoU", "mAcc", "aAcc", "IoU/wall", "IoU/sky"]
    assert metrics.protocol["ignore_index"] == 255
    assert metrics.per_class == {"IoU/wall": "wall", "IoU/sky": "sky"}


@pytest.mark.parametrize("names", [["wall"], ["wall", "wall"]])
def test_each_class_needs_a_name_of_its_own(names):
    with pytest.raises(UserError, match="for 2 classes"):
        SegmentationMetrics(2, names=names)


def test_a_prediction_of_another_size_is_refused():
    with pytest.raises(UserError, match=r"\(4, 4\) for a target of \(8, 8\); give a segmentation map"):
        SegmentationMetrics(2).update([torch.zeros(4, 4).long()], [torch.zeros(8, 8).long()])
