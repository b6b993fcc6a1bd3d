"""Dice, focal, Lovász and OHEM losses against their definitions, written out on logits
at full size.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from pvtseg.errors import UserError
from pvtseg.layers import row_chunks
from pvtseg.losses.cross_entropy import CrossEntropy
from pvtseg.losses.dice import DiceLoss
from pvtseg.losses.focal import FocalLoss
from pvtseg.losses.lovasz import LovaszLoss
from pvtseg.losses.ohem import OHEMCrossEntropy

LOSSES = {
    "dice": DiceLoss,
    "focal": FocalLoss,
    "lovasz": LovaszLoss,
    "ohem": lambda **options: OHEMCrossEntropy(min_kept=50, **options),
}


@pytest.fixture(autouse=True, params=[1, 3_000, 10**9], ids=["a_row", "a_few_rows", "all_rows"])
def chunk_bytes(request, monkeypatch):
    monkeypatch.setattr(row_chunks, "CPU_UPSAMPLED_BYTES", request.param)


def batch(coarse_size=(5, 6), size=(19, 23), *, num_classes=5, dtype=torch.float64):
    """Random logits that want a gradient; labels of which some are ignored; class 4 is
    in no target.
    """
    generator = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(2, num_classes, *coarse_size, generator=generator)).to(dtype).requires_grad_()
    target = torch.randint(4, (2, *size), generator=generator)
    target[0, :6] = 255
    return logits, target


def value(loss, logits, target):
    """The only scalar of a loss."""
    (found,) = loss(logits, target).values()
    return found


def pixels(logits, target):
    """The valid pixels: logits at full size (N, K) and labels (N,)."""
    fine = F.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return fine[target != 255], target[target != 255]


def dice(logits, target):
    fine, labels = pixels(logits, target)
    p = fine.softmax(dim=1)
    of_classes = []
    for c in labels.unique():
        y = (labels == c).double()
        of_classes.append(1 - (2 * (p[:, c] * y).sum() + 1) / (p[:, c].sum() + y.sum() + 1))
    return sum(of_classes) / len(of_classes)


def focal(logits, target, gamma=2.0):
    fine, labels = pixels(logits, target)
    p = fine.softmax(dim=1).gather(1, labels[:, None])
    return (-((1 - p) ** gamma) * p.log()).mean()


def lovasz(logits, target):
    """The Lovász extension of the Jaccard loss, straight from its definition: sets of
    wrong pixels that grow one by one.
    """
    fine, labels = pixels(logits, target)
    p = fine.softmax(dim=1)
    of_classes = []
    for c in labels.unique():
        y = labels == c
        errors = torch.where(y, 1 - p[:, c], p[:, c])
        order = errors.argsort(descending=True)
        wrong, before, loss = torch.zeros_like(y), 0.0, 0.0
        for pixel in order:
            wrong[pixel] = True
            jaccard_loss = wrong.sum().double() / (y | wrong).sum()  # 1 - |y without wrong| / |y or wrong|
            loss = loss + errors[pixel] * (jaccard_loss - before)
            before = jaccard_loss
        of_classes.append(loss)
    return sum(of_classes) / len(of_classes)


def ohem(logits, target):
    fine, labels = pixels(logits, target)
    p = fine.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    threshold = max(0.7, p.detach().sort().values[2 * 50].item())
    return F.cross_entropy(fine[p < threshold], labels[p < threshold])


DEFINITIONS = {"dice": dice, "focal": focal, "lovasz": lovasz, "ohem": ohem}


def assert_same(ours, theirs, logits):
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    gradients = (torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs))
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_equals_its_definition_in_value_and_gradient(name):
    logits, target = batch((4, 3), (11, 9)) if name == "lovasz" else batch()  # its definition is slow
    assert_same(value(LOSSES[name](), logits, target), DEFINITIONS[name](logits, target), logits)


@pytest.mark.parametrize("name", LOSSES)
def test_it_returns_one_scalar_under_its_name(name):
    assert list(LOSSES[name]()(*batch())) == ["cross_entropy" if name == "ohem" else name]


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_a_valid_pixel_gives_zero_and_no_gradient(name):
    logits, target = batch()
    loss = value(LOSSES[name](), logits, torch.full_like(target, 255))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_learned_costs_next_to_nothing(name):
    _, target = batch()
    sure = (40.0 * F.one_hot(target.masked_fill(target == 255, 4), 5).permute(0, 3, 1, 2)).requires_grad_()
    loss = value(LOSSES[name](), sure, target)
    loss.backward()
    assert 0 <= loss < 1e-3
    assert sure.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_computed_in_float32(name):
    logits, target = batch(dtype=torch.bfloat16)
    exact = logits.detach().float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = value(LOSSES[name](), logits, target)
        ours.backward()
    theirs = value(LOSSES[name](), exact, target)
    theirs.backward()
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(logits.grad.float(), exact.grad, rtol=2e-2, atol=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_a_label_out_of_range_is_named(name):
    logits, target = batch()
    target[1, 3, 2] = 5
    with pytest.raises(UserError, match="label 5 in a target, where the classes are 0 to 4"):
        value(LOSSES[name](), logits, target)


def test_focal_without_focus_is_cross_entropy():
    logits, target = batch()
    assert_same(value(FocalLoss(gamma=0), logits, target), value(CrossEntropy(), logits, target), logits)


def test_focal_of_two_classes_is_torchvisions():
    logits, target = batch(num_classes=2)
    target = torch.where(target == 255, 255, target % 2)
    fine, labels = pixels(logits, target)
    theirs = sigmoid_focal_loss(fine[:, 1] - fine[:, 0], labels.double(), alpha=-1, gamma=2.0, reduction="mean")
    assert_same(value(FocalLoss(), logits, target), theirs, logits)


def test_focal_weighs_classes():
    logits, target = batch()
    weights = [0.5, 2.0, 1.0, 0.1, 3.0]
    fine, labels = pixels(logits, target)
    p = fine.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    theirs = (-((1 - p) ** 2) * p.log() * torch.tensor(weights)[labels]).mean()
    assert_same(value(FocalLoss(class_weights=weights), logits, target), theirs, logits)


def test_lovasz_of_a_certain_prediction_is_one_minus_its_iou():
    """Where probabilities are 0 or 1 the extension is the Jaccard loss itself."""
    target = torch.tensor([[[0, 0, 1, 1], [0, 1, 1, 255]]])
    prediction = torch.tensor([[[0, 1, 1, 1], [0, 0, 1, 0]]])
    logits = 100 * F.one_hot(prediction, 2).permute(0, 3, 1, 2).double()
    expected = ((1 - 2 / 4) + (1 - 3 / 5)) / 2
    assert float(value(LovaszLoss(), logits, target)) == pytest.approx(expected)


def test_with_every_pixel_kept_the_ohem_loss_is_cross_entropy():
    logits, target = batch()
    assert_same(value(OHEMCrossEntropy(threshold=1.0), logits, target), value(CrossEntropy(), logits, target), logits)


def test_the_ohem_loss_may_be_averaged_over_all_pixels_as_mmsegmentation_does():
    """It sums the loss of the hard pixels, times their class's weight, and divides by
    all pixels, ignored ones included.
    """
    logits, target = batch()
    weights = [0.5, 2.0, 1.0, 3.0, 1.5]
    fine, labels = pixels(logits, target)
    p = fine.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    hard = p < max(0.7, p.detach().sort().values[2 * 50].item())
    assert 0 < hard.sum() < len(labels) < target.numel()
    theirs = (
        F.cross_entropy(fine[hard], labels[hard], torch.tensor(weights, dtype=fine.dtype), reduction="sum")
        / target.numel()
    )
    assert_same(
        value(OHEMCrossEntropy(min_kept=50, average="all", class_weights=weights), logits, target), theirs, logits
    )


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="gamma=-1"):
        FocalLoss(gamma=-1)
    with pytest.raises(UserError, match=r"loss\.class_weights has 2 numbers for 5 classes"):
        FocalLoss(class_weights=[1.0, 2.0])(*batch())
    with pytest.raises(UserError, match=r"threshold=7"):
        OHEMCrossEntropy(threshold=7)
    with pytest.raises(UserError, match=r"min_kept=-1"):
        OHEMCrossEntropy(min_kept=-1)


@pytest.mark.parametrize("num_classes", [3, 30])
def test_lovasz_keeps_no_more_memory_at_full_size_with_more_classes(num_classes):
    logits, target = batch((4, 4), (64, 64), num_classes=num_classes)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        LovaszLoss()(logits, target % num_classes)
    at_full_size = {tensor.data_ptr() for tensor in saved if tensor.numel() >= target.numel()}
    assert len(at_full_size) <= 2  # labels and the logarithm of the softmax's sum


@pytest.mark.parametrize("min_kept", [0, 1, 300, 10_000])
def test_ohem_keeps_at_least_min_kept_pixels_of_each_image(min_kept):
    logits, target = batch()
    fine, labels = pixels(logits, target)
    p = fine.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    rising = p.detach().sort().values
    hard = p < max(0.7, rising[min(2 * min_kept, len(rising) - 1)])
    theirs = F.cross_entropy(fine[hard], labels[hard])
    assert_same(value(OHEMCrossEntropy(min_kept=min_kept), logits, target), theirs, logits)
