"""The loss in row chunks is F.cross_entropy of F.interpolate in value and gradient, and
zero without a valid pixel.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers import row_chunks
from pvtseg.losses.cross_entropy import CrossEntropy

WEIGHTS = [0.5, 2.0, 1.0, 0.1, 3.0]
SIZES = [((8, 8), (32, 32)), ((7, 9), (29, 41)), ((6, 5), (6, 5)), ((9, 12), (4, 30)), ((1, 1), (6, 5))]


@pytest.fixture(autouse=True, params=[1, 3_000, 10**9], ids=["a_row", "a_few_rows", "all_rows"])
def chunk_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_chunks, "CPU_UPSAMPLED_BYTES", request.param)


def cross_entropy(logits, target, **options):
    """The only scalar of the loss."""
    ((name, value),) = CrossEntropy(**options)(logits, target).items()
    assert name == "cross_entropy"
    return value


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
    assert_same(cross_entropy(logits, target), plain(logits, target), logits)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_smoothing_and_class_weights_are_torchs(label_smoothing, class_weights):
    logits, target = batch()
    options = {"label_smoothing": label_smoothing, "class_weights": class_weights}
    assert_same(cross_entropy(logits, target, **options), plain(logits, target, **options), logits)


DIVISORS = {  # of the sum over the valid pixels
    "weights": lambda labels, weights: sum(weights[label] for label in labels if label != 255),
    "valid": lambda labels, weights: sum(label != 255 for label in labels),
    "all": lambda labels, weights: len(labels),
}


@pytest.mark.parametrize("average", DIVISORS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_each_average_divides_by_what_it_is_named_after(average, label_smoothing, class_weights):
    logits, target = batch((3, 4), (7, 9))
    options = {"label_smoothing": label_smoothing, "class_weights": class_weights}
    divisor = DIVISORS[average](target.flatten().tolist(), class_weights or [1.0] * 5)
    expected = plain(logits, target, **options, reduction="sum") / divisor
    assert_same(cross_entropy(logits, target, **options, average=average), expected, logits, rtol=1e-6, atol=1e-8)


def mmsegmentation(logits, target, *, class_weight, avg_non_ignore, version):
    """mmseg/models/losses/cross_entropy_loss.py, `cross_entropy` with reduction="mean",
    from its published formula.
    """
    loss = plain(logits, target, class_weights=class_weight, reduction="none")
    valid = target != 255
    if version == 1 and class_weight is not None:
        return loss.sum() / torch.tensor(class_weight)[target[valid]].sum()
    return loss.sum() / (valid.sum() if avg_non_ignore else target.numel())


@pytest.mark.parametrize(
    ("average", "version", "avg_non_ignore", "class_weight"),
    [
        ("all", 0, False, None),
        ("all", 0, False, WEIGHTS),
        ("all", 1, False, None),
        ("valid", 0, True, WEIGHTS),
        ("valid", 1, True, None),
        ("weights", 1, False, WEIGHTS),
        ("weights", 1, True, WEIGHTS),
    ],
)
def test_averages_are_those_of_mmsegmentation(average, version, avg_non_ignore, class_weight):
    logits, target = batch()
    expected = mmsegmentation(logits, target, class_weight=class_weight, avg_non_ignore=avg_non_ignore, version=version)
    ours = cross_entropy(logits, target, class_weights=class_weight, average=average)
    assert_same(ours, expected, logits, rtol=1e-6, atol=1e-8)


def test_half_a_batch_ignored_counts_half_with_average_all():
    logits, target = batch(size=(30, 41))
    target[:, :15], target[:, 15:] = 255, target[:, 15:] % 5
    valid, everything = (cross_entropy(logits, target, average=average) for average in ("valid", "all"))
    torch.testing.assert_close(everything, valid / 2)


def test_the_gradient_is_the_derivative_of_the_loss():
    logits, target = batch((3, 4), (7, 9), num_classes=3)
    options = {"label_smoothing": 0.1, "class_weights": [1.0, 0.2, 3.0]}
    assert torch.autograd.gradcheck(lambda logits: 5 * cross_entropy(logits, target, **options), logits, fast_mode=True)


@pytest.mark.parametrize("average", DIVISORS)
@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_a_batch_without_a_valid_pixel_gives_zero_and_no_gradient(average, class_weights):
    logits, target = batch()
    options = {"average": average, "class_weights": class_weights, "label_smoothing": 0.1}
    loss = cross_entropy(logits, torch.full_like(target, 255), **options)
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("label", [5, 254, -1, 256])
def test_a_label_out_of_range_is_named(label):
    logits, target = batch()
    target[1, 3, 2] = label
    with pytest.raises(UserError, match=rf"label {label} in a target, where the classes are 0 to 4"):
        cross_entropy(logits, target)


def test_a_class_may_be_ignored_and_nothing_may_be():
    logits, target = batch()
    theirs = plain(logits, torch.where(target == 0, 255, target))
    assert_same(cross_entropy(logits, torch.where(target == 255, 0, target), ignore_index=0), theirs, logits)
    with pytest.raises(UserError, match="label 255"):
        cross_entropy(logits, target, ignore_index=None)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_layout_of_the_logits_does_not_matter(memory_format):
    logits, target = batch(dtype=torch.float32)
    logits = logits.detach().contiguous(memory_format=memory_format).requires_grad_()
    assert_same(cross_entropy(logits, target), plain(logits, target), logits)


@pytest.mark.parametrize("scale", [1e-3, 30.0, 1e4])
def test_large_logits_neither_overflow_nor_vanish(scale):
    logits, target = batch(dtype=torch.float32)
    logits = (scale * logits).detach().requires_grad_()
    rounding = scale * torch.finfo(torch.float32).eps  # of the logits themselves, in whatever order they are mixed
    tolerance = {"rtol": max(1e-5, 2 * rounding), "atol": max(1e-7, 1e-3 * rounding)}
    assert_same(cross_entropy(logits, target), plain(logits, target), logits, **tolerance)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits, target = batch(dtype=dtype)
    exact = logits.detach().float().requires_grad_()
    ours, theirs = cross_entropy(logits, target), plain(exact, target)
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
        ours = cross_entropy(logits, target)
    assert_same(ours, theirs, logits)


def test_without_a_gradient_wanted_the_value_is_the_same():
    logits, target = batch()
    wanted = cross_entropy(logits, target, label_smoothing=0.1)
    with torch.no_grad():
        unwanted = cross_entropy(logits, target, label_smoothing=0.1)
    assert not unwanted.requires_grad
    torch.testing.assert_close(unwanted, wanted.detach())


def test_only_the_coarse_gradient_is_kept_for_backward():
    logits, target = batch()
    kept = cross_entropy(logits, target).grad_fn.saved_tensors
    assert [tensor.numel() for tensor in kept] == [logits.numel()]


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match=r"loss\.average=mean is not known; use weights, valid or all\."):
        CrossEntropy(average="mean")
    with pytest.raises(UserError, match=r"loss\.class_weights has 2 numbers for 5 classes"):
        cross_entropy(*batch(), class_weights=[1.0, 2.0])
    with pytest.raises(UserError, match="label_smoothing=10"):
        CrossEntropy(label_smoothing=10)


def test_logits_of_whole_images_are_refused_with_the_loss_for_them():
    with pytest.raises(UserError, match=r"\(2, 5\).*use loss=classification"):
        cross_entropy(torch.randn(2, 5), torch.tensor([1, 2]))
