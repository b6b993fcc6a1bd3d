"""Parts from outside pvtseg (tests/strangers) train, resume, evaluate and predict by
the command line alone.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CONFIGS = HERE / "strangers" / "configs"
SHORT = ["trainer.max_steps=4", "trainer.val_check_interval=2", "trainer.accelerator=cpu", "logger=[csv]"]
TINY_SCENES = [
    "data.train.size=[32,32]",
    "data.train.length=8",
    "data.val.length=4",
    "data.batch_size=2",
    "data.num_workers=0",
]


def pvtseg(verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of a process of its own, which finds the package of strangers."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pvtseg", verb, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE, check=False)


def train(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return pvtseg("train", "--config-dir", str(CONFIGS), *SHORT, *overrides, f"hydra.run.dir={folder}")


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run in which every part is a stranger."""
    folder = tmp_path_factory.mktemp("strangers") / "run"
    done = train(folder, "task=spot", "inference=two_looks")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("'trust=[strangers]'"), "the printed command names the package to trust"
    return folder


def test_a_task_of_strangers_trains_and_keeps_the_checkpoint_with_the_least_distance(run):
    content = metrics_of(run)
    assert content["task"] == "spot"
    assert content["protocol"]["inference"] == "two looks"
    with next(run.rglob("metrics.csv")).open() as file:
        distances = [float(row["val/distance"]) for row in csv.DictReader(file) if row.get("val/distance")]
    assert len(distances) == 2
    assert content["metrics"]["distance"] == pytest.approx(min(distances), rel=1e-4)
    assert list((run / "predictions").glob("*.png"))


def test_a_task_of_strangers_resumes(run, tmp_path):
    folder = tmp_path / "run"
    done = train(
        folder, "task=spot", "inference=two_looks", f"resume={run}/checkpoints/last.ckpt", "trainer.max_steps=6"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "distance" in metrics_of(folder)["metrics"]


@pytest.mark.parametrize("file", ["checkpoints/best.ckpt", "model.safetensors"])
def test_a_task_of_strangers_is_evaluated_from_the_checkpoint_alone_by_someone_who_trusts_the_package(
    run, tmp_path, file
):
    done = pvtseg(
        "eval",
        f"checkpoint={run}/{file}",
        "trust=[strangers]",
        "trainer.accelerator=cpu",
        f"hydra.run.dir={tmp_path}/eval",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert metrics_of(tmp_path / "eval")["metrics"] == pytest.approx(metrics_of(run)["metrics"])


def test_a_task_of_strangers_is_refused_by_name_without_trust(run, tmp_path):
    done = pvtseg("eval", f"checkpoint={run}/model.safetensors", f"hydra.run.dir={tmp_path}/eval")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "strangers." in last
    assert "trust=[strangers]" in last
    assert "Traceback" not in done.stderr


def test_a_task_of_strangers_predicts_an_image(run, tmp_path):
    code = (
        "import sys, numpy as np, pvtseg\n"
        "predictor = pvtseg.load_predictor(sys.argv[1], trust=['strangers'])\n"
        "image = np.zeros((32, 48, 3), np.uint8); image[10:17, 20:27] = 255\n"
        "print(type(predictor(image)).__name__, predictor(image).point.shape, predictor.draw(image).size)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    command = [sys.executable, "-c", code, str(run)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.stdout.strip() == "Spot (2,) (48, 32)", done.stderr


@pytest.mark.parametrize(
    "overrides",
    [
        ["backbone=two_maps", "head=semantic_fpn"],
        ["loss=map_loss"],
        ["inference=two_looks"],
        ["data.eval_transform._target_=strangers.data.Brighten"],
    ],
    ids=["backbone", "loss", "inference", "eval_transform"],
)
def test_a_single_part_of_strangers_works_among_ours(overrides, tmp_path):
    done = train(tmp_path / "run", "task=segmentation", *TINY_SCENES, *overrides)
    assert done.returncode == 0, done.stdout + done.stderr
    evaluated = pvtseg(
        "eval",
        f"checkpoint={tmp_path}/run/checkpoints/best.ckpt",
        "trust=[strangers]",
        f"hydra.run.dir={tmp_path}/eval",
    )
    assert evaluated.returncode == 0, evaluated.stdout + evaluated.stderr
    assert metrics_of(tmp_path / "eval")["metrics"] == pytest.approx(metrics_of(tmp_path / "run")["metrics"])
