"""The banded loss is F.cross_entropy of F.interpolate: its value, its gradient, and where that is not defined, zero."""

import pytest
import torch
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers import upsampling
from pvtseg.losses.cross_entropy import CrossEntropy

WEIGHTS = [0.5, 2.0, 1.0, 0.1, 3.0]
SIZES = [((8, 8), (32, 32)), ((7, 9), (29, 41)), ((6, 5), (6, 5)), ((9, 12), (4, 30)), ((1, 1), (6, 5))]


@pytest.fixture(autouse=True, params=[1, 3_000, 10**9], ids=["a_row", "a_few_rows", "all_rows"])
def band_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsampling, "CPU_BAND_BYTES", request.param)


def batch(coarse_size=(7, 9), size=(29, 41), *, num_classes=5, dtype=torch.float64):
    """Random logits that want a gradient, and labels of which some are ignored."""
    logits = (3 * torch.randn(2, num_classes, *coarse_size)).to(dtype).requires_grad_()
    target = torch.randint(num_classes, (2, *size))
    target[0, : size[0] // 3] = 255
    return logits, target


def plain(logits, target, *, class_weights=None, label_smoothing=0.0, reduction="mean"):
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32).to(logits)
    fine = F.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(
        fine, target, weight, ignore_index=255, label_smoothing=label_smoothing, reduction=reduction
    )  # fmt: skip


def assert_same(ours, theirs, logits, **tolerance):
    torch.testing.assert_close(ours, theirs, **tolerance)
    gradients = (torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs))
    torch.testing.assert_close(*gradients, **tolerance)


@pytest.mark.parametrize(("coarse_size", "size"), SIZES)
def test_it_is_torchs_loss_of_the_upsampled_logits_at_any_size(coarse_size, size):
    logits, target = batch(coarse_size, size)
    assert_same(CrossEntropy()(logits, target), plain(logits, target), logits)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_smoothing_and_class_weights_are_torchs(label_smoothing, class_weights):
    logits, target = batch()
    options = {"label_smoothing": label_smoothing, "class_weights": class_weights}
    assert_same(CrossEntropy(**options)(logits, target), plain(logits, target, **options), logits)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_average_all_divides_by_every_pixel(label_smoothing, class_weights):
    logits, target = batch()
    options = {"label_smoothing": label_smoothing, "class_weights": class_weights}
    summed = plain(logits, target, **options, reduction="sum")
    assert_same(CrossEntropy(**options, average="all")(logits, target), summed / target.numel(), logits)


def test_half_a_batch_ignored_counts_half_with_average_all():
    logits, target = batch(size=(30, 41))
    target[:, :15], target[:, 15:] = 255, target[:, 15:] % 5
    valid, everything = (CrossEntropy(average=average)(logits, target) for average in ("valid", "all"))
    torch.testing.assert_close(everything, valid / 2)


def test_the_gradient_is_the_slope_of_the_loss():
    logits, target = batch((3, 4), (7, 9), num_classes=3)
    loss = CrossEntropy(label_smoothing=0.1, class_weights=[1.0, 0.2, 3.0])
    assert torch.autograd.gradcheck(lambda logits: 5 * loss(logits, target), logits, fast_mode=True)


@pytest.mark.parametrize("average", ["valid", "all"])
@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_a_batch_without_a_valid_pixel_gives_zero_and_no_gradient(average, class_weights):
    logits, target = batch()
    loss = CrossEntropy(average=average, class_weights=class_weights, label_smoothing=0.1)(logits, torch.full_like(target, 255))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("label", [5, 254, -1, 256])
def test_a_label_out_of_range_is_named(label):
    logits, target = batch()
    target[1, 3, 2] = label
    with pytest.raises(UserError, match=rf"label {label} in a target, where the classes are 0 to 4"):
        CrossEntropy()(logits, target)


def test_a_class_may_be_ignored_and_nothing_may_be():
    logits, target = batch()
    theirs = plain(logits, torch.where(target == 0, 255, target))
    assert_same(CrossEntropy(ignore_index=0)(logits, torch.where(target == 255, 0, target)), theirs, logits)
    with pytest.raises(UserError, match="label 255"):
        CrossEntropy(ignore_index=None)(logits, target)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_layout_of_the_logits_does_not_matter(memory_format):
    logits, target = batch(dtype=torch.float32)
    logits = logits.detach().contiguous(memory_format=memory_format).requires_grad_()
    assert_same(CrossEntropy()(logits, target), plain(logits, target), logits)


@pytest.mark.parametrize("scale", [1e-3, 30.0, 1e4])
def test_large_logits_neither_overflow_nor_vanish(scale):
    logits, target = batch(dtype=torch.float32)
    logits = (scale * logits).detach().requires_grad_()
    rounding = scale * torch.finfo(torch.float32).eps  # of the logits themselves, in whatever order they are mixed
    tolerance = {"rtol": max(1e-5, 2 * rounding), "atol": max(1e-7, 1e-3 * rounding)}
    assert_same(CrossEntropy()(logits, target), plain(logits, target), logits, **tolerance)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits, target = batch(dtype=dtype)
    exact = logits.detach().float().requires_grad_()
    ours, theirs = CrossEntropy()(logits, target), plain(exact, target)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs)
    (65536 * ours).backward()  # as a gradient scaler does, without which float16 would lose most of it
    (65536 * theirs).backward()
    assert logits.grad.dtype == dtype
    torch.testing.assert_close(logits.grad.float(), exact.grad, rtol=torch.finfo(dtype).eps, atol=1e-3)


def test_autocast_does_not_make_it_coarser():
    logits, target = batch(dtype=torch.float32)
    theirs = plain(logits, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = CrossEntropy()(logits, target)
    assert_same(ours, theirs, logits)


def test_without_a_gradient_wanted_the_value_is_the_same():
    logits, target = batch()
    wanted = CrossEntropy(label_smoothing=0.1)(logits, target)
    with torch.no_grad():
        unwanted = CrossEntropy(label_smoothing=0.1)(logits, target)
    assert not unwanted.requires_grad
    torch.testing.assert_close(unwanted, wanted.detach())


def test_only_the_coarse_gradient_is_kept_for_backward():
    logits, target = batch()
    kept = CrossEntropy()(logits, target).grad_fn.saved_tensors
    assert [tensor.numel() for tensor in kept] == [logits.numel()]


@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_an_image_has_one_class_or_a_mixture(class_weights):
    logits = torch.randn(6, 5, requires_grad=True)
    loss = CrossEntropy(label_smoothing=0.1, class_weights=class_weights)
    weight = None if class_weights is None else torch.tensor(class_weights)
    for target in (torch.randint(5, (6,)), torch.rand(6, 5).softmax(dim=1)):
        assert_same(loss(logits, target), F.cross_entropy(logits, target, weight, label_smoothing=0.1), logits)


def test_the_class_255_of_an_image_is_a_class():
    logits, target = torch.randn(2, 1000), torch.tensor([255, 255])
    torch.testing.assert_close(CrossEntropy()(logits, target), F.cross_entropy(logits, target))
    with pytest.raises(UserError, match="label 1000"):
        CrossEntropy()(logits, target + 745)


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="use 'valid' or 'all'"):
        CrossEntropy(average="mean")
    with pytest.raises(UserError, match="2 class_weights for 5 classes"):
        CrossEntropy(class_weights=[1.0, 2.0])(*batch())
    with pytest.raises(UserError, match="label_smoothing=10"):
        CrossEntropy(label_smoothing=10)
