"""Training and evaluation from Python, as in a notebook: no command line, no Hydra
application.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from short_runs import SCENES, TWO_STEPS

import pvtseg

QUICK = [*TWO_STEPS, *SCENES, "trainer.accelerator=cpu", "logger=[]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "run"
    return pvtseg.train("task=segmentation", "backbone=b0", *QUICK, f"hydra.run.dir={folder}")


def test_a_training_returns_its_folder_metrics_checkpoint_and_predictor(run):
    content = json.loads((run.folder / "metrics.json").read_text())
    assert run.metrics == content["metrics"]
    assert str(run.checkpoint) == content["checkpoint"]
    assert run.predictor()(np.zeros((40, 50, 3), np.uint8)).shape == (40, 50)


def test_an_evaluation_returns_the_content_of_metrics_json(run, tmp_path):
    content = pvtseg.evaluate(run.checkpoint, "trainer.accelerator=cpu", f"hydra.run.dir={tmp_path}")
    assert content == json.loads((tmp_path / "metrics.json").read_text())
    assert content["metrics"] == run.metrics


def test_the_command_composes_the_same_configuration():
    config = pvtseg.compose("task=depth", "backbone=b1")
    assert config.task.name == "depth"
    assert config.paths.run.startswith("logs/depth/")


def test_a_mistake_is_a_user_error_that_names_the_way_out(run):
    with pytest.raises(pvtseg.UserError, match=r"did you mean optimizer.lr\?"):
        pvtseg.train("optimizer.lrr=1")
    with pytest.raises(pvtseg.UserError, match="belongs to the checkpoint"):
        pvtseg.evaluate(run.checkpoint, "backbone=b1")
