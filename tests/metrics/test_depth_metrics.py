"""Depth metrics agree with brute force, on random numbers and on real depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pvtseg.errors import UserError
from pvtseg.metrics.depth import CROPS, DepthMetrics


def brute_force(predictions, targets, low=1e-3, high=10.0):
    """The mean over images of what the evaluation code of BTS computes for each."""
    rows = []
    for p, g in zip(predictions, targets, strict=True):
        valid = (g > low) & (g < high)
        if not valid.any():
            continue
        p, g = np.clip(p, low, high)[valid].astype(np.float64), g[valid].astype(np.float64)
        worst, d = np.maximum(g / p, p / g), np.log(p) - np.log(g)
        rows.append(
            {
                **{f"delta{k}": (worst < 1.25**k).mean() for k in (1, 2, 3)},
                "abs_rel": (np.abs(p - g) / g).mean(),
                "sq_rel": ((p - g) ** 2 / g).mean(),
                "rmse": np.sqrt(((p - g) ** 2).mean()),
                "rmse_log": np.sqrt((d**2).mean()),
                "log10": np.abs(np.log10(p) - np.log10(g)).mean(),
                "silog": np.sqrt((d**2).mean() - d.mean() ** 2),
            }
        )
    return {name: np.mean([row[name] for row in rows]) for name in rows[0]}


def depths(batch=3, height=40, width=50):
    """Targets from 0 (invalid) to 14 m, the last all invalid, and predictions that err."""
    target = 14 * torch.rand(batch, height, width)
    target[torch.rand_like(target) < 0.2] = 0
    target[-1] = 0
    return target.clamp_min(0.1) * torch.exp(0.3 * torch.randn_like(target)), target


def measured(prediction, target, **options):
    metrics = DepthMetrics(**options)
    metrics.update(list(prediction), list(target))
    return {name: float(value) for name, value in metrics.compute().items()}


def test_the_metrics_are_those_of_brute_force():
    prediction, target = depths()
    assert measured(prediction, target) == pytest.approx(brute_force(prediction.numpy(), target.numpy()), rel=1e-9)


def test_batches_of_any_size_give_the_same_mean_over_images():
    prediction, target = depths(5)
    metrics = DepthMetrics()
    for part in (slice(0, 1), slice(1, 4), slice(4, 5)):
        metrics.update(list(prediction[part]), list(target[part]))
    found = {name: float(value) for name, value in metrics.compute().items()}
    assert found == pytest.approx(measured(prediction, target), rel=1e-12)


def test_each_image_may_have_a_size_of_its_own():
    images = [depths(2, height=height, width=width) for height, width in ((40, 50), (30, 70), (8, 8))]
    predictions, targets = zip(*[(prediction[0], target[0]) for prediction, target in images], strict=True)
    expected = brute_force([each.numpy() for each in predictions], [each.numpy() for each in targets])
    assert measured(predictions, targets) == pytest.approx(expected, rel=1e-9)


@pytest.mark.needs_shared
def test_real_depth_agrees_with_brute_force(shared):
    files = sorted((shared / "indoor_rgbd/depth/val").glob("*.png"))[:3]
    raw = np.stack([np.array(Image.open(file)) for file in files])
    target = np.where(raw == 65535, 0, raw).astype(np.float32) / 1000  # millimeters; 65535 is invalid
    prediction = np.roll(target, 9, axis=2) * 1.1
    ours = measured(torch.from_numpy(prediction), torch.from_numpy(target), crop="nyu")
    window = np.s_[:, 45:471, 41:601]
    assert ours == pytest.approx(brute_force(prediction[window], target[window]), rel=1e-9)
    assert 0 < ours["delta1"] < 1


def test_the_mean_of_rmses_is_not_the_rmse_of_all_pixels():
    target = torch.full((2, 8, 8), 2.0)
    prediction = target + torch.tensor([1.0, 3.0]).view(2, 1, 1)
    assert measured(prediction, target)["rmse"] == pytest.approx(2)
    assert (prediction - target).square().mean().sqrt() == pytest.approx(5**0.5)


def test_a_perfect_prediction_has_no_error():
    _, target = depths()
    found = measured(target, target)
    assert [found[f"delta{k}"] for k in (1, 2, 3)] == [1, 1, 1]
    assert all(value == 0 for name, value in found.items() if not name.startswith("delta"))


def test_the_bounds_are_strict():
    target = torch.tensor([1e-3, 10.0, 5.0]).view(1, 1, 3)
    found = measured(torch.tensor([9.0, 1.0, 5.0]).view(1, 1, 3), target)
    assert (found["delta1"], found["rmse"]) == (1, 0)


def test_infinite_is_the_greatest_depth_and_nan_the_least():
    target = torch.tensor([8.0, 2.0]).view(2, 1, 1)
    found = measured(torch.tensor([torch.inf, torch.nan]).view(2, 1, 1), target, clamp=False)
    assert found["rmse"] == pytest.approx((2 + 1.999) / 2)


def test_predictions_are_clamped_unless_told_otherwise():
    target = torch.full((1, 2, 2), 9.0)
    assert measured(target + 5, target)["rmse"] == pytest.approx(1)
    assert measured(target + 5, target, clamp=False)["rmse"] == pytest.approx(5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_more(dtype):
    prediction, target = (depth.to(dtype) for depth in depths())
    assert measured(prediction, target) == measured(prediction.float(), target.float())


def test_without_any_valid_depth_everything_is_nan():
    assert all(np.isnan(value) for value in measured(torch.ones(2, 4, 4), torch.zeros(2, 4, 4)).values())


def test_the_crop_of_nyu_holds_238560_pixels():
    inside = torch.zeros(480, 640)
    inside[CROPS["nyu"](480, 640)] = 1
    assert inside.sum() == 238_560 == 426 * 560
    target = torch.where(inside.bool(), 2.0, 4.0)[None]
    assert measured(torch.full_like(target, 2.0), target, crop="nyu")["rmse"] == 0


@pytest.mark.parametrize(
    ("crop", "size", "rows", "columns"),
    [
        ("garg", (352, 1216), (143, 349), (43, 1172)),
        ("garg", (375, 1242), (153, 371), (44, 1197)),
        ("eigen", (352, 1216), (117, 321), (43, 1172)),
    ],
)
def test_the_crops_of_kitti_are_the_published_ones(crop, size, rows, columns):
    assert CROPS[crop](*size) == (slice(*rows), slice(*columns))


def test_the_crop_of_nyu_refuses_another_size():
    depth = torch.ones(1, 240, 320)
    with pytest.raises(
        UserError, match=r"240 x 320, and metrics\.crop=nyu is defined for 480 x 640; .*metrics\.crop=null"
    ):
        measured(depth, depth, crop="nyu")


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match=r"metrics\.crop is 'kitti'; use nyu, garg, eigen or null"):
        DepthMetrics(crop="kitti")
    with pytest.raises(UserError, match="use 0 < min_depth < max_depth"):
        DepthMetrics(min_depth=0)


@pytest.mark.parametrize(("prediction", "target"), [((4, 4), (8, 8)), ((1, 4, 4), (1, 4, 4))], ids=["size", "channel"])
def test_a_prediction_that_is_no_map_of_the_targets_size_is_refused(prediction, target):
    with pytest.raises(UserError, match=r"give meters \(H, W\) at the target's size"):
        measured([torch.ones(prediction)], [torch.ones(target)])


def test_the_protocol_names_what_the_numbers_depend_on():
    protocol = DepthMetrics(crop="nyu", max_depth=8.0).protocol
    assert (protocol["crop"], protocol["max_depth"], protocol["clamp"]) == ("nyu", 8.0, True)
    assert dict(DepthMetrics.per_class) == {}


@pytest.mark.parametrize("width", [50, 51])
def test_median_alignment_is_reported_apart_and_as_brute_force_has_it(width):
    prediction, target = depths(width=width)
    prediction = 3 * prediction
    aligned = prediction.numpy().copy()
    for image, of_target in zip(aligned[:-1], target.numpy(), strict=False):
        valid = (of_target > 1e-3) & (of_target < 10)
        image *= np.median(of_target[valid]) / np.median(image[valid])
    found = measured(prediction, target, median_alignment=True)
    metric, relative = ({name: found[prefix + name] for name in DepthMetrics.names} for prefix in ("", "aligned/"))
    assert metric == pytest.approx(measured(prediction, target))
    assert relative == pytest.approx(brute_force(aligned, target.numpy()), rel=1e-5)
    assert relative["rmse"] < metric["rmse"] / 2
    assert "aligned/" in DepthMetrics(median_alignment=True).protocol
    assert not any(name.startswith("aligned/") for name in measured(prediction, target))
