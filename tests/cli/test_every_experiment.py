"""`python train.py experiment=NAME` for every NAME, from start to end: two steps and an
evaluation on a tiny copy of its data.
"""

import csv
import json
import math
import re

import pytest
import torch
from made import make_ade20k, make_camvid, make_digits, make_imagenet_archives, make_indoor_rgbd, make_nyu_depth
from short_runs import RECIPES, TWO_STEPS, recipe_of

from pvtseg.backbones.pvt_v2 import variants
from pvtseg.paths import config_dir
from pvtseg.task import Task

NAMES = sorted(path.stem for path in (config_dir() / "experiment").glob("[!_]*.yaml"))
IN_BETWEEN = re.compile(
    r"(segformer|pvt_v2|glpn)_(b1|b3|b4)_"
)  # sizes that differ from their neighbors in numbers alone
EXPERIMENTS = [pytest.param(name, marks=[pytest.mark.slow] * bool(IN_BETWEEN.search(name))) for name in NAMES]

ALONE = ["pretrained=null", "trainer.accelerator=cpu", "trainer.log_every_n_steps=1"]
METRICS = {"segmentation": "mIoU", "depth": "delta1", "classification": "top1"}
PROTOCOL = {
    "segmentation": {"mIoU", "ignore_index", "absent_classes"},
    "depth": {"average", "valid", "min_depth", "max_depth", "crop", "clamp"},
    "classification": {"top1", "top5"},
}
NUM_VAL = {"ade20k": 3, "nyu_depth": 1, "imagenet": 10, "camvid": 2, "indoor_rgbd": 3, "digits": 10}


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> dict[str, str]:
    """The override that leads to each data set."""
    folder = tmp_path_factory.mktemp("data")
    make_ade20k(folder / "ADEChallengeData2016")
    make_nyu_depth(folder / "nyu_depth_v2", train=2, val=1)
    make_imagenet_archives(folder / "imagenet", num_classes=1000, images=1, val=10)
    published = dict.fromkeys(("ade20k", "nyu_depth", "imagenet"), f"paths.data={folder}")
    own = {"camvid": make_camvid, "indoor_rgbd": make_indoor_rgbd, "digits": make_digits}
    return published | {name: f"data.root={make(folder / name)}" for name, make in own.items()}


@pytest.fixture
def small_encoders(monkeypatch):
    """Every size in the channels and blocks of B0: the others would take minutes.
    tests/test_configs.py builds them whole.
    """
    for name in variants.SIZES:
        monkeypatch.setitem(variants.SIZES, name, variants.SIZES["b0"])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.usefixtures("small_encoders")
def test_every_experiment_trains_and_is_evaluated(command, roots, tmp_path, experiment):
    data = recipe_of(experiment)
    run = f"hydra.run.dir={tmp_path}"
    outcome = command("train", f"experiment={experiment}", roots[data], *RECIPES[data], *TWO_STEPS, *ALONE, run)
    assert outcome.status == 0, outcome.errors

    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2
    (log,) = tmp_path.rglob("metrics.csv")
    losses = {int(row["step"]): float(row["train/loss"]) for row in csv.DictReader(log.open()) if row["train/loss"]}
    assert losses.keys() == {0, 1}
    assert all(math.isfinite(loss) and loss > 0 for loss in losses.values())

    content = json.loads((tmp_path / "metrics.json").read_text())
    assert 0 <= content["metrics"][METRICS[content["task"]]] <= 1
    assert content["protocol"]["inference"] == "whole image"
    assert content["protocol"]["images"] == NUM_VAL[data]
    assert content["protocol"].keys() >= PROTOCOL[content["task"]]


def test_a_recipe_predicts_at_the_size_of_each_image(command, roots, tmp_path, monkeypatch):
    """Whatever size the model sees: here multiples of 32 whose shorter side is 64."""
    seen = []

    def spy(task: Task, batch: dict) -> list:
        predictions = predict(task, batch)
        seen.extend((tuple(batch["image"].shape[-2:]), tuple(prediction.shape)) for prediction in predictions)
        return predictions

    predict = Task.predict
    monkeypatch.setattr(Task, "predict", spy)
    experiment = ["experiment=segformer_b0_ade20k", roots["ade20k"], *RECIPES["ade20k"], *TWO_STEPS, *ALONE]
    outcome = command("train", *experiment, f"hydra.run.dir={tmp_path}")
    assert outcome.status == 0, outcome.errors
    assert seen == 2 * [
        ((64, 96), (48, 64)),
        ((128, 64), (70, 41)),
        ((64, 96), (48, 64)),
    ]  # in training, and of the best
