"""SiLog is its formula, and stays finite where the formula is not."""

from __future__ import annotations

import pytest
import torch

from pvtseg.errors import UserError
from pvtseg.losses.silog import SiLogLoss


def depths(batch=2, height=24, width=32, *, dtype=torch.float64):
    prediction = (0.5 + 9 * torch.rand(batch, 1, height, width)).to(dtype).requires_grad_()
    target = (0.5 + 9 * torch.rand(batch, height, width)).to(dtype)
    target[:, : height // 2, : width // 3] = 0
    return prediction, target


def silog(prediction, target, **options):
    """The only scalar of the loss."""
    ((name, value),) = SiLogLoss(**options)(prediction, target).items()
    assert name == "silog"
    return value


def formula(prediction, target, *, variance_focus=0.5, scale=1.0, min_depth=0.0):
    valid = target > min_depth
    d = torch.log(target[valid]) - torch.log(prediction.squeeze(1)[valid])
    return scale * torch.sqrt((d**2).mean() - variance_focus * d.mean() ** 2)


@pytest.mark.parametrize(
    "options",
    [{}, {"variance_focus": 0.85, "scale": 10.0, "min_depth": 0.1}, {"variance_focus": 1.0}, {"variance_focus": 0.0}],
    ids=["glpn", "bts", "scale_free", "root_mean_square"],
)
def test_it_is_the_formula_over_the_valid_pixels_of_the_batch(options):
    prediction, target = depths()
    ours, theirs = silog(prediction, target, **options), formula(prediction, target, **options)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, prediction)[0] for loss in (ours, theirs)))


def test_per_image_is_the_mean_over_the_images_with_valid_pixels():
    prediction, target = depths(3)
    target[1] = 0
    theirs = (formula(prediction[:1], target[:1]) + formula(prediction[2:], target[2:])) / 2
    torch.testing.assert_close(silog(prediction, target, per_image=True), theirs)
    assert silog(prediction, target) != theirs


def test_a_common_factor_costs_nothing_when_only_variance_counts():
    _, target = depths()
    assert silog(3 * target.clamp_min(1)[:, None], target.clamp_min(1), variance_focus=1.0) < 1e-7
    torch.testing.assert_close(silog(3 * target[:, None], target), torch.tensor(3.0).double().log() * 0.5**0.5)


def test_a_coarse_prediction_is_resized_to_the_target():
    prediction, target = depths()
    coarse = prediction.detach()[:, :, ::4, ::4].requires_grad_()
    loss = silog(coarse, target)
    fine = torch.nn.functional.interpolate(coarse, size=(24, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(loss, formula(fine, target))


@pytest.mark.parametrize("per_image", [False, True])
def test_without_a_valid_pixel_it_is_zero_and_so_is_the_gradient(per_image):
    prediction, target = depths()
    loss = silog(prediction, torch.zeros_like(target), per_image=per_image)
    loss.backward()
    assert loss == 0
    assert (prediction.grad == 0).all()


def test_a_perfect_prediction_gives_zero_and_no_gradient():
    _, target = depths()
    prediction = target[:, None].clone().requires_grad_()
    loss = silog(prediction, target)
    loss.backward()
    assert loss == 0
    assert (prediction.grad == 0).all()


def test_invalid_depth_may_be_infinite_or_nan():
    prediction, target = depths()
    odd = torch.where(target == 0, torch.nan, target)
    odd[0, 0] = torch.inf
    expected = torch.where(odd.isfinite(), odd, 0)
    torch.testing.assert_close(silog(prediction, odd), formula(prediction, expected))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    prediction, target = depths(dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = silog(prediction, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, formula(prediction.float(), target.float()))
    loss.backward()
    assert prediction.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_prediction_of_zero_meters_has_a_loss(dtype):
    _, target = depths(dtype=dtype)
    prediction = torch.zeros_like(target[:, None], requires_grad=True)
    loss = silog(prediction, target)
    loss.backward()
    assert loss.isfinite()
    assert prediction.grad.isfinite().all()


def test_a_focus_beyond_one_is_refused():
    with pytest.raises(UserError, match=r"variance_focus=1.5"):
        SiLogLoss(variance_focus=1.5)


def test_a_target_with_a_channel_is_refused():
    prediction, target = depths()
    with pytest.raises(UserError, match=r"\(2, 1, 24, 32\); give \(B, H, W\)"):
        SiLogLoss()(prediction, target[:, None])
