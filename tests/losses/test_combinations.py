"""Several losses of one head, and one loss for each of several heads."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pvtseg.errors import UserError
from pvtseg.losses.cross_entropy import CrossEntropy
from pvtseg.losses.dice import DiceLoss
from pvtseg.losses.several import PerHead
from pvtseg.losses.silog import SiLogLoss
from pvtseg.losses.weighted import Weighted
from pvtseg.losses.weighted_sum import WeightedSum

LOGITS, LABELS = torch.randn(2, 5, 4, 4), torch.randint(5, (2, 16, 16))
DEPTH, METERS = torch.rand(2, 1, 4, 4) + 1, torch.rand(2, 16, 16) + 1


class TwoTerms(nn.Module):
    def forward(self, outputs, target):
        return {"first": outputs.sum(), "second": target.sum()}


def test_a_weighted_sum_names_and_weighs_each_of_its_terms():
    found = WeightedSum({"cross_entropy": CrossEntropy(), "dice": DiceLoss()}, {"cross_entropy": 1.0, "dice": 0.5})(
        LOGITS, LABELS
    )
    assert list(found) == ["cross_entropy", "dice"]
    torch.testing.assert_close(found["cross_entropy"], CrossEntropy()(LOGITS, LABELS)["cross_entropy"])
    torch.testing.assert_close(found["dice"], 0.5 * DiceLoss()(LOGITS, LABELS)["dice"])


def test_a_term_of_several_scalars_enters_a_weighted_sum_as_their_sum():
    found = WeightedSum({"both": TwoTerms()}, {"both": 3.0})(torch.tensor([1.0, 2.0]), torch.tensor([4.0]))
    assert found == {"both": 3.0 * (3.0 + 4.0)}


def test_terms_without_a_weight_are_refused():
    with pytest.raises(UserError, match=r"loss\.terms are \['dice'\], loss\.weights \['focal'\]"):
        WeightedSum({"dice": DiceLoss()}, {"focal": 1.0})


def test_a_weighted_loss_keeps_its_names():
    found = Weighted(TwoTerms(), 0.4)(torch.tensor([1.0]), torch.tensor([2.0]))
    assert found == {"first": pytest.approx(0.4), "second": pytest.approx(0.8)}


def test_each_head_has_its_loss_and_its_target():
    loss = PerHead({"segmentation": CrossEntropy(), "depth": SiLogLoss()})
    found = loss({"segmentation": LOGITS, "depth": DEPTH}, {"segmentation": LABELS, "depth": METERS})
    assert list(found) == ["segmentation/cross_entropy", "depth/silog"]
    torch.testing.assert_close(found["segmentation/cross_entropy"], CrossEntropy()(LOGITS, LABELS)["cross_entropy"])
    torch.testing.assert_close(found["depth/silog"], SiLogLoss()(DEPTH, METERS)["silog"])


def test_an_auxiliary_head_shares_the_target():
    loss = PerHead({"main": CrossEntropy(), "auxiliary": Weighted(CrossEntropy(), 0.25)})
    found = loss({"main": LOGITS, "auxiliary": 2 * LOGITS}, LABELS)
    expected = 0.25 * CrossEntropy()(2 * LOGITS, LABELS)["cross_entropy"]
    torch.testing.assert_close(found["auxiliary/cross_entropy"], expected)


def test_the_losses_of_heads_are_parts_of_the_module():
    loss = PerHead({"main": CrossEntropy(class_weights=[1.0] * 5)}).to("meta")
    assert [buffer.device.type for buffer in loss.buffers()] == ["meta"]


@pytest.mark.parametrize(
    ("outputs", "target", "message"),
    [
        ({"other": LOGITS}, LABELS, r"loss has \['main'\], head has \['other'\]"),
        (LOGITS, LABELS, r"loss has \['main'\], head has one without a name"),
        ({"main": LOGITS}, {"depth": METERS}, r"head has \['main'\], the data has targets for \['depth'\]"),
    ],
)
def test_heads_losses_and_targets_with_different_names_are_refused(outputs, target, message):
    with pytest.raises(UserError, match=message):
        PerHead({"main": CrossEntropy()})(outputs, target)
