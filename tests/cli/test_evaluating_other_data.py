"""An evaluation on other images: they are prepared as the checkpoint's own were, and
the folder that was read is named.
"""

import json

import pytest

TRAINING = [
    "task=segmentation", "data=folder", "data.labels.names=[low,high]", "data.train_transform.size=[32,32]",
    "data.eval_transform._target_=pvtseg.data.transforms.evaluation.Resize", "+data.eval_transform.size=[32,64]",
    "+data.eval_transform.interpolation=bilinear", "data.batch_size=1", "data.num_workers=0", "trainer.accelerator=cpu",
    "trainer.max_steps=1", "logger=[]",
]  # fmt: skip
STORED = "Resize(size=[32, 64], interpolation=bilinear)"


@pytest.fixture(scope="module")
def checkpoint(command, photos_for_all, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    outcome = command("train", *TRAINING, f"data.root={photos_for_all}", f"hydra.run.dir={folder}")
    assert outcome.status == 0, outcome.errors
    return folder / "model.safetensors"


@pytest.fixture
def evaluate(command, checkpoint, tmp_path):
    def run(*overrides):
        outcome = command("eval", f"checkpoint={checkpoint}", *overrides, f"hydra.run.dir={tmp_path / 'eval'}")
        assert outcome.status == 0, outcome.errors
        return json.loads((tmp_path / "eval" / "metrics.json").read_text()), outcome

    return run


@pytest.fixture
def other(photos):
    """Another folder, whose training images are gone: an evaluation does not need them."""
    for kind in ("images", "masks"):
        for file in (photos / kind / "train").iterdir():
            file.unlink()
        (photos / kind / "train").rmdir()
    return photos


@pytest.mark.parametrize(
    "overrides", [["data=folder", "data.root={}"], ["data.root={}"], ["data.val.root={}"]], ids=" ".join
)
def test_other_images_keep_the_evaluation_transform_and_the_folder_is_named(evaluate, other, overrides):
    content, outcome = evaluate(*(override.format(other) for override in overrides))
    assert content["protocol"]["image"] == STORED
    assert content["data"] == f"folder {other}/images/val"
    assert f"folder {other}/images/val: 2 validation images" in outcome.output
    assert STORED in outcome.output


def test_the_command_line_may_name_another_evaluation_transform(evaluate, other):
    whole = "data.eval_transform={_target_: pvtseg.data.transforms.evaluation.Original}"
    assert evaluate("data=folder", f"data.root={other}", whole)[0]["protocol"]["image"] == "Original()"
    smaller = evaluate("data=folder", f"data.root={other}", "data.eval_transform.size=[32,32]")[0]
    assert smaller["protocol"]["image"] == "Resize(size=[32, 32], interpolation=bilinear)"


def test_the_metrics_ignore_what_the_other_data_ignores(evaluate, other):
    content, _ = evaluate("data=folder", f"data.root={other}", "data.labels.ignore_index=100")
    assert content["protocol"]["ignore_index"] == 100


def test_a_key_that_the_stored_data_lacks_is_named(command, checkpoint, tmp_path):
    outcome = command("eval", f"checkpoint={checkpoint}", "data.val.rot=x", f"hydra.run.dir={tmp_path}")
    assert outcome.status == 1
    assert "no key 'data.val.rot'; did you mean data.val.root?" in outcome.last_line


def test_a_task_whose_configuration_is_not_here_is_evaluated(command, tiny, tmp_path):
    configs = tmp_path / "configs"
    (configs / "task").mkdir(parents=True)
    (configs / "data" / "scenes").mkdir(parents=True)
    (configs / "task" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - segmentation\n  - _self_\ntask:\n  name: mine\nmonitor:\n  metric: aAcc\n"
    )
    (configs / "data" / "scenes" / "mine.yaml").write_text("defaults: [segmentation]\n")
    outcome = command("train", "--config-dir", configs, "task=mine", *tiny, f"hydra.run.dir={tmp_path / 'run'}")
    assert outcome.status == 0, outcome.errors
    outcome = command("eval", f"checkpoint={tmp_path / 'run'}", f"hydra.run.dir={tmp_path / 'eval'}")
    assert outcome.status == 0, outcome.errors
    found, expected = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("eval", "run"))
    assert (found["task"], found["metrics"]) == ("mine", expected["metrics"])
