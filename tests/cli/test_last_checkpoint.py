"""The files that a run leaves: the newest state, the best weights, and the command that evaluates them."""

import json

import pytest
import torch

from pvtseg.checkpoints.io import read_weights
from pvtseg.load import load_model


def test_the_last_checkpoint_is_the_newest_although_the_score_does_not_improve(command, tiny, tmp_path):
    outcome = command(
        "train", "task=segmentation", *tiny, "trainer.max_steps=6", "trainer.val_check_interval=2", "optimizer.lr=1e-9",
        "~callbacks.draw_predictions", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    assert read_weights(tmp_path / "run/checkpoints/last.ckpt").extras["global_step"] == 6


def test_the_shipped_weights_are_those_of_the_best_checkpoint_with_a_moving_average_too(command, tiny, tmp_path):
    outcome = command(
        "train", "task=segmentation", *tiny, "callbacks=[default,ema]", "optimizer.lr=0.05", "trainer.max_steps=4",
        "trainer.val_check_interval=2", f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    shipped = load_model(tmp_path / "run/model.safetensors").state_dict()
    best = load_model(tmp_path / "run/checkpoints/best.ckpt").state_dict()
    assert all(torch.equal(shipped[name], best[name]) for name in best)


def test_a_run_is_not_resumed_with_another_optimizer_in_silence(command, tiny, trained, tmp_path):
    folder, _ = trained("segmentation")
    resume = [
        "train",
        "task=segmentation",
        *tiny,
        f"resume={folder}/checkpoints/last.ckpt",
        f"hydra.run.dir={tmp_path}/run",
    ]
    refused = command(*resume, "trainer.max_steps=4", "optimizer.lr=0.5")
    assert refused.status == 1
    assert "optimizer.lr is 0.001 in the run and 0.5 here" in refused.last_line
    named = command(*resume, "trainer.max_steps=4", "loss.label_smoothing=0.1")
    assert named.status == 0, named.errors
    assert "changed: loss.label_smoothing=0.1 (was 0.0)" in " ".join(named.output.split())
    assert json.loads((tmp_path / "run/metrics.json").read_text())["task"] == "segmentation"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.max_steps=0", "trainer.max_steps is 0; use a whole number of steps from 1 on"),
        ("trainer.max_steps=-5", "trainer.max_steps is -5"),
        ("trainer.val_check_interval=0", "trainer.val_check_interval is 0"),
        ("seed=abc", "seed is 'abc'; use a whole number from 0 on"),
        ("trainer.accelerator=tpu", "trainer cannot be built"),
    ],
)
def test_a_length_or_a_device_that_cannot_be_is_one_line(command, tiny, tmp_path, override, message):
    outcome = command("train", "task=segmentation", *tiny, override, f"hydra.run.dir={tmp_path}/run")
    assert outcome.status == 1
    assert message in outcome.last_line
    assert "Traceback" not in outcome.errors
