"""Training and evaluation from Python, a notebook for example, with the overrides of
the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from pvtseg.build import compose
from pvtseg.cli.app import MISTAKES
from pvtseg.cli.evaluate import measure
from pvtseg.cli.explain import explain
from pvtseg.cli.finished_run import Run
from pvtseg.cli.from_checkpoint import with_its_task
from pvtseg.cli.program import override
from pvtseg.cli.train import fit
from pvtseg.errors import UserError


def train(*overrides: str) -> Run:
    """The finished run: its folder, metrics, best checkpoint and predictor.

    overrides: those of `pvtseg train`, such as "task=depth", "trainer.max_steps=500"
    and "hydra.run.dir=FOLDER".
    Raises UserError for overrides that do not fit, and for data that cannot be trained
    on.
    """
    return fit(_composed("train", *overrides))


def evaluate(source: str | Path, *overrides: str) -> dict[str, Any]:
    """The content of metrics.json: task, metrics, protocol, data and checkpoint.

    source: a run's folder or file, or published weights. overrides: those of `pvtseg
    eval`, such as "inference=flip".
    Raises UserError for overrides that do not fit the checkpoint.
    """
    arguments = with_its_task([override("checkpoint", source), *overrides])
    return measure(_composed("eval", *arguments), arguments)


def _composed(name: str, *overrides: str) -> DictConfig:
    try:
        return compose(*overrides, name=name)
    except MISTAKES as error:
        raise UserError(explain(error, name, overrides)) from error
