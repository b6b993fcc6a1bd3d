"""An auxiliary head learns beside the task's own, is logged under its own name, and
runs in training alone.
"""

import pytest
import torch
from torch.nn import functional as F

from pvtseg.build import build_model, build_task, complete, compose
from pvtseg.errors import UserError
from pvtseg.heads.fcn import FCNHead


def config_of(*overrides):
    return complete(compose("backbone=mit_b0", *overrides, "paths.run=/nowhere"))


@pytest.fixture(scope="module")
def task():
    torch.manual_seed(0)
    overrides = ["head.channels=16", "auxiliary=fcn", "auxiliary.fcn.head.channels=8", "auxiliary.fcn.loss.weight=0.25"]
    config = config_of(*overrides)
    return build_task(config, build_model(config))


def batch():
    image = torch.randn(2, 3, 64, 64)
    sizes = [(64, 64)] * 2
    return {
        "image": image,
        "image_size": sizes,
        "views": [image],
        "target": torch.randint(13, (2, 64, 64)),
        "size": sizes,
    }


def test_both_losses_are_logged_by_name_and_reach_every_parameter(task):
    task.train()
    sample = batch()
    losses = task.loss(task.model(sample["image"]), sample["target"])
    assert list(losses) == ["segmentation/cross_entropy", "fcn/cross_entropy"]
    sum(losses.values()).backward()
    assert [name for name, parameter in task.model.named_parameters() if parameter.grad is None] == []


def test_the_auxiliary_loss_is_that_of_stage_3_times_its_weight(task):
    task.train()
    sample = batch()
    task.model.backbone.eval()  # no path is dropped, so both passes have the same features
    auxiliary = task.model.head["fcn"].eval()
    with torch.no_grad():
        logits = auxiliary(task.model.backbone(sample["image"]))
        fine = F.interpolate(logits, size=(64, 64), mode="bilinear", align_corners=False)
        found = task.loss(task.model(sample["image"]), sample["target"])["fcn/cross_entropy"]
    assert logits.shape == (2, 13, 4, 4)
    torch.testing.assert_close(found, 0.25 * F.cross_entropy(fine, sample["target"]))


def test_an_auxiliary_head_does_not_run_after_training(task):
    task.eval()
    with torch.no_grad():
        assert task.model(torch.randn(1, 3, 64, 64)).keys() == {"segmentation"}
        assert [prediction.shape for prediction in task.predict(batch())] == [(64, 64)] * 2


def test_an_auxiliary_head_has_the_learning_rate_of_the_head():
    config = config_of("auxiliary=fcn", "optimizer.head_lr_factor=10", "optimizer.lr=1.0")
    with torch.device("meta"):
        task = build_task(config, build_model(config))
    fast = {
        id(p) for group in task.make_optimizer(task.model).param_groups if group["lr"] == 10 for p in group["params"]
    }
    assert fast == {id(p) for p in task.model.head.parameters()}


def test_without_an_auxiliary_head_the_model_has_one_head():
    with torch.device("meta"):
        model = build_model(config_of())
    assert isinstance(model(torch.empty(1, 3, 64, 64, device="meta")), torch.Tensor)


def test_a_stage_that_the_encoder_does_not_have_is_refused():
    with pytest.raises(UserError, match="stage"):
        FCNHead((4, 6, 8, 10), 3, stage=5)
