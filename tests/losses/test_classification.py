"""The loss of whole images is torch's cross-entropy."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.losses.classification import ClassificationCrossEntropy

WEIGHTS = [0.5, 2.0, 1.0, 0.1, 3.0]


@pytest.mark.parametrize("class_weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize(
    "target", [torch.arange(6) % 5, torch.rand(6, 5).softmax(dim=1)], ids=["indices", "probabilities"]
)
def test_it_is_torchs_loss_of_class_indices_and_of_probabilities(target, class_weights):
    logits = torch.randn(6, 5, requires_grad=True)
    ours = ClassificationCrossEntropy(label_smoothing=0.1, class_weights=class_weights)(logits, target)
    weight = None if class_weights is None else torch.tensor(class_weights)
    theirs = F.cross_entropy(logits, target, weight, label_smoothing=0.1)
    assert list(ours) == ["cross_entropy"]
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours["cross_entropy"], theirs)]
    torch.testing.assert_close(ours["cross_entropy"], theirs)
    torch.testing.assert_close(*gradients)


def test_the_class_255_of_an_image_is_a_class():
    logits, target = torch.randn(2, 1000), torch.tensor([255, 255])
    torch.testing.assert_close(
        ClassificationCrossEntropy()(logits, target)["cross_entropy"], F.cross_entropy(logits, target)
    )
    with pytest.raises(UserError, match="label 1000"):
        ClassificationCrossEntropy()(logits, target + 745)


def test_half_precision_is_computed_in_float32():
    logits, target = torch.randn(4, 5).bfloat16(), torch.arange(4)
    found = ClassificationCrossEntropy()(logits, target)["cross_entropy"]
    torch.testing.assert_close(found, F.cross_entropy(logits.float(), target))


def test_maps_and_options_out_of_their_range_are_refused():
    with pytest.raises(UserError, match=r"\(2, 5, 4, 4\).*use loss=cross_entropy for maps"):
        ClassificationCrossEntropy()(torch.randn(2, 5, 4, 4), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(UserError, match=r"loss\.label_smoothing=10 is not a fraction"):
        ClassificationCrossEntropy(label_smoothing=10)
    with pytest.raises(UserError, match=r"loss\.class_weights has 2 numbers for 5 classes"):
        ClassificationCrossEntropy(class_weights=[1.0, 2.0])(torch.randn(2, 5), torch.tensor([1, 2]))
