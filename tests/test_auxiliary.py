"""A second head learns beside the first, is logged under its own name, and changes nothing once training is over."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch.nn import functional as F

from pvtseg.build import build_model, build_task, resolve
from pvtseg.errors import UserError
from pvtseg.heads.fcn import FCNHead
from pvtseg.paths import config_dir


def config_of(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return resolve(compose("train", ["backbone=mit_b0", "head.channels=16", *overrides, "paths.run=/nowhere"]))


@pytest.fixture(scope="module")
def task():
    torch.manual_seed(0)
    config = config_of("auxiliary=fcn", "auxiliary.channels=8", "auxiliary_loss.weight=0.25")
    return build_task(config, build_model(config))


def batch():
    target = torch.randint(13, (2, 64, 64))
    return {"image": torch.randn(2, 3, 64, 64), "target": target, "size": (64, 64)}


def test_both_heads_are_logged_by_name_and_reach_every_parameter(task):
    losses = task.train().losses(batch())
    assert list(losses) == ["cross_entropy", "auxiliary_cross_entropy"]
    sum(losses.values()).backward()
    assert [name for name, parameter in task.model.named_parameters() if parameter.grad is None] == []


def test_the_auxiliary_answer_is_that_of_stage_3_and_counts_its_weight(task):
    task.train()
    sample = batch()
    task.model.backbone.eval()  # no path is dropped, so that both passes see the same features
    task.model.auxiliary.eval()
    with torch.no_grad():
        logits = task.model.auxiliary(task.model.backbone(sample["image"]))
        fine = F.interpolate(logits, size=(64, 64), mode="bilinear", align_corners=False)
        found = task.losses(sample)["auxiliary_cross_entropy"]
    assert logits.shape == (2, 13, 4, 4)
    torch.testing.assert_close(found, 0.25 * F.cross_entropy(fine, sample["target"]))


def test_it_is_not_asked_after_training(task):
    task.eval()
    with torch.no_grad():
        assert task.model.answer(torch.randn(1, 3, 64, 64)).shape == (1, 13, 16, 16)
        assert task.predict(batch()).shape == (2, 64, 64)


def test_it_learns_as_fast_as_the_head():
    config = config_of("auxiliary=fcn", "optimizer.head_lr_factor=10", "optimizer.lr=1.0")
    with torch.device("meta"):
        task = build_task(config, build_model(config))
    fast = {id(p) for group in task._optimizer(task.model).param_groups if group["lr"] == 10 for p in group["params"]}
    assert fast == {id(p) for part in (task.model.head, task.model.auxiliary) for p in part.parameters()}


def test_without_it_the_model_is_a_plain_one():
    with torch.device("meta"):
        model = build_model(config_of())
    assert not any(name.startswith("auxiliary") for name, _ in model.named_parameters())


def test_a_stage_that_is_none_is_refused():
    with pytest.raises(UserError, match="stage 5 is none of the encoder's; use 1 to 4"):
        FCNHead((4, 6, 8, 10), 3, stage=5)
