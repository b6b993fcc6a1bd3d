"""train.py and eval.py from start to end, on tiny scenes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

TASKS = ("segmentation", "depth", "classification")
METRICS = {
    "segmentation": {"mIoU", "mAcc", "aAcc"},
    "depth": {"delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog"},
    "classification": {"top1", "top5"},
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("task", TASKS)
def test_a_run_leaves_what_the_contract_promises(trained, task):
    folder, outcome = trained(task)
    assert outcome.status == 0, outcome.errors
    assert "Traceback" not in outcome.output + outcome.errors
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert not [path for path in folder.rglob("*") if "=" in path.name or path.suffix == ".partial"]
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 2
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert set(file.keys()) == {
            name.removeprefix("model.") for name in checkpoint["state_dict"] if name.startswith("model.")
        }
    pictures = list((folder / "predictions").glob("*.png"))
    assert pictures
    assert np.asarray(Image.open(pictures[0])).std() > 10


@pytest.mark.parametrize("task", TASKS)
def test_metrics_json_holds_plain_numbers_under_the_names_of_the_contract(trained, task):
    folder, _ = trained(task)
    content = json.loads((folder / "metrics.json").read_text())
    assert content.keys() == {"task", "metrics", "protocol", "data", "checkpoint"}
    assert content["task"] == task
    assert content["data"] == "scenes"
    assert Path(content["checkpoint"]).is_file()
    names = {name for name in content["metrics"] if not name.startswith("IoU/")}
    assert names == METRICS[task]
    assert all(isinstance(value, (int, float)) for value in content["metrics"].values())
    ratios = names - {"abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog"}
    assert all(0 <= content["metrics"][name] <= 1 for name in ratios)
    assert content["protocol"].items() >= {"image": "Original()", "inference": "whole image"}.items()
    if task == "segmentation":
        assert any(name.startswith("IoU/") for name in content["metrics"])


def test_a_run_says_what_it_does_and_how_to_go_on(trained):
    folder, outcome = trained("segmentation")
    for text in ("pvt_v2_b0", "3.41 M", "GMACs", "8 training", "4 validation", str(folder), "cpu"):
        assert text in outcome.output, text
    assert f"pvtseg eval checkpoint={folder}/checkpoints/best.ckpt" in outcome.output


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("file", ["checkpoints/best.ckpt", "model.safetensors"])
def test_an_evaluation_repeats_the_runs_numbers_to_the_digit(trained, command, tmp_path, task, file):
    folder, _ = trained(task)
    outcome = command("eval", f"checkpoint={folder / file}", f"hydra.run.dir={tmp_path}")
    assert outcome.status == 0, outcome.errors
    found, expected = (json.loads((path / "metrics.json").read_text()) for path in (tmp_path, folder))
    assert found["metrics"] == expected["metrics"]
    assert found["protocol"] == expected["protocol"]


def test_an_evaluation_runs_another_inference_by_one_override(trained, command, tmp_path):
    folder, _ = trained("segmentation")
    outcome = command(
        "eval", f"checkpoint={folder}/model.safetensors", "inference=multi_scale_flip", "inference.ratios=[1.0,1.5]",
        "inference.flip=false", f"hydra.run.dir={tmp_path}",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["protocol"]["inference"] == "whole image, at ratios 1, 1.5, probabilities averaged at every pixel"
    assert list((tmp_path / "predictions").iterdir())


def test_an_evaluation_takes_other_data_of_the_same_kind(trained, command, tmp_path):
    folder, _ = trained("segmentation")
    outcome = command(
        "eval", f"checkpoint={folder}/model.safetensors", "data.val.length=2", f"hydra.run.dir={tmp_path}"
    )
    assert outcome.status == 0, outcome.errors
    assert json.loads((tmp_path / "metrics.json").read_text())["protocol"]["images"] == 2


def test_a_folder_that_holds_a_run_is_refused_and_stays_unchanged(trained, command, tiny):
    folder, _ = trained("classification")
    before = contents(folder)
    outcome = command("train", "task=classification", "optimizer.lr=0.5", *tiny, f"hydra.run.dir={folder}")
    assert outcome.status != 0
    assert "already holds a run" in outcome.last_line
    assert "hydra.run.dir" in outcome.last_line
    assert "Traceback" not in outcome.output + outcome.errors
    after = contents(folder)
    assert [name for name in before | after if before.get(name) != after.get(name)] == []


def test_a_run_goes_on_where_it_stopped(trained, command, tiny, tmp_path):
    _, outcome = trained("classification")
    folder = tmp_path / "run"
    arguments = ["task=classification", *tiny, f"hydra.run.dir={folder}"]
    assert command("train", *arguments).status == 0
    last = folder / "checkpoints" / "last.ckpt"
    outcome = command("train", *arguments, f"resume={last}", "trainer.max_steps=3")
    assert outcome.status == 0, outcome.errors
    assert torch.load(last, weights_only=True)["global_step"] == 3


def test_a_run_needs_no_logger(command, tiny, tmp_path):
    outcome = command(
        "train", "task=classification", *tiny, "logger=[]", "trainer.max_steps=1", f"hydra.run.dir={tmp_path}"
    )
    assert outcome.status == 0, outcome.errors


def test_a_run_without_validation_keeps_its_last_weights(command, tiny, tmp_path):
    arguments = [
        "task=classification",
        *tiny,
        "trainer.max_steps=1",
        "trainer.limit_val_batches=0",
        f"hydra.run.dir={tmp_path}",
    ]
    outcome = command("train", *arguments)
    assert outcome.status == 0, outcome.errors
    assert f"pvtseg eval checkpoint={tmp_path}/checkpoints/last.ckpt" in outcome.output
    assert (tmp_path / "model.safetensors").is_file()
    assert not (tmp_path / "metrics.json").exists()


def test_figures_of_some_batches_say_so(trained, command, tmp_path):
    folder, _ = trained("classification")
    arguments = [f"checkpoint={folder}/model.safetensors", f"hydra.run.dir={tmp_path}", "trainer.limit_val_batches=1"]
    outcome = command("eval", *arguments)
    assert outcome.status == 0, outcome.errors
    assert "limit_val_batches=1" in outcome.output
    assert json.loads((tmp_path / "metrics.json").read_text())["protocol"]["limit_val_batches"] == 1


def test_a_sweep_makes_one_folder_for_each_point_and_names_the_best(command, tiny, tmp_path):
    outcome = command(
        "train", "-m", "task=classification", *tiny, "trainer.max_steps=1",
        "backbone=b0,mit_b0", "optimizer.lr=1e-4,3e-4", f"hydra.sweep.dir={tmp_path}",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    scores = {}
    for number in range(4):
        folder = tmp_path / str(number)
        assert (folder / "checkpoints" / "best.ckpt").is_file()
        scores[str(folder)] = json.loads((folder / "metrics.json").read_text())["metrics"]["top1"]
    last = outcome.output.strip().splitlines()[-1]
    assert last.startswith("best:")
    (best,) = [folder for folder in scores if last.endswith(folder)]
    assert scores[best] == max(scores.values())


def test_the_end_of_a_training_is_validated_and_counts(command, tiny, tmp_path):
    """The loss falls from step to step, so the last of five steps is the best one."""
    arguments = [
        "task=classification",
        *tiny,
        "trainer.max_steps=5",
        "trainer.val_check_interval=3",
        "optimizer.lr=1e-5",
    ]
    falling = ["metrics._target_=improving.Improving", "~metrics.num_classes", "monitor.metric=count"]
    outcome = command("train", *arguments, *falling, f"hydra.run.dir={tmp_path}")
    assert outcome.status == 0, outcome.errors
    assert re.findall(r"step +(\d+)  val", outcome.output) == ["3", "5"]
    assert torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["global_step"] == 5


def test_the_end_of_a_training_in_epochs_is_validated_and_counts(command, tiny, tmp_path):
    """Eight images in batches of two: three epochs of four steps, of which every second
    is validated.
    """
    epochs = ["trainer=epochs", "trainer.max_epochs=3", "trainer.max_steps=-1", "trainer.check_val_every_n_epoch=2"]
    outcome = command("train", "task=classification", *tiny, *epochs, f"hydra.run.dir={tmp_path}")
    assert outcome.status == 0, outcome.errors
    assert re.findall(r"step +(\d+)  val", outcome.output) == ["8", "12"]


def test_a_sweep_goes_on_after_a_run_that_fails_and_does_not_hide_it(command, tiny, tmp_path):
    outcome = command(
        "train", "-m", "task=depth", "monitor.metric=rmse", "monitor.mode=min", *tiny, "trainer.max_steps=1",
        "optimizer.lr=-1,1e-4,1e-2", f"hydra.sweep.dir={tmp_path}",
    )  # fmt: skip
    assert outcome.status == 1
    assert "Traceback" not in outcome.output + outcome.errors
    assert outcome.last_line.startswith("error: 1 run of the sweep failed: ")
    scores = {
        number: json.loads((tmp_path / number / "metrics.json").read_text())["metrics"]["rmse"] for number in "12"
    }
    best = next(line for line in outcome.output.splitlines() if line.startswith("best:"))
    assert best.endswith(f"/{min(scores, key=scores.get)}")


def test_two_processes_train_together(tiny, tmp_path):
    """Lightning starts the second one by the command line of the first, verb included."""
    two = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.num_sanity_val_steps=0", f"hydra.run.dir={tmp_path}"]
    words = [sys.executable, "-m", "pvtseg", "train", "task=classification", *tiny, *two]
    environment = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    assert "4 (2 x 2 devices x 1 accumulated)" in done.stdout
    assert json.loads((tmp_path / "metrics.json").read_text())["protocol"]["images"] == 4


def test_importing_pvtseg_waits_for_neither_torch_nor_lightning():
    heavy = "{'torch', 'lightning', 'albumentations', 'cv2', 'hydra', 'timm', 'transformers'}"
    code = f"import sys, pvtseg; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_and_a_misspelled_key_answer_without_loading_torch():
    root = Path(__file__).parents[2]
    code = (
        "import sys, runpy\n"
        "for argument in ('optimizer.lrr=1', '--help'):\n"
        "    sys.argv = ['train.py', argument]\n"
        "    try:\n"
        "        runpy.run_path('train.py', run_name='__main__')\n"
        "    except SystemExit as end:\n"
        "        print('status', end.code)\n"
        "print(sorted({'torch', 'lightning', 'albumentations', 'cv2'} & set(sys.modules)))\n"
    )
    quiet = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env=quiet)
    assert "status 1" in done.stdout
    assert "usage: python train.py" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr
