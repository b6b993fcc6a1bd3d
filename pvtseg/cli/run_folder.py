"""The folder that a run writes into: its files, and what is never overwritten."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import yaml

from pvtseg.cli.program import override
from pvtseg.errors import UserError


class RunFolder:
    """config.yaml, checkpoints/last.ckpt and best.ckpt, model.safetensors,
    metrics.json, predictions/, and the loggers' folders.

    Raises UserError when the folder already holds a run that is not being resumed, or
    when there is nothing to resume.
    """

    def __init__(self, path: Path, *, resume: str | None = None):
        self.path = path
        self.resume = resume
        self.last = path / "checkpoints" / "last.ckpt"
        self.best = path / "checkpoints" / "best.ckpt"
        self.model = path / "model.safetensors"
        self.metrics = path / "metrics.json"
        self.predictions = path / "predictions"
        if resume is not None and not Path(resume).is_file():
            raise UserError(
                f"there is no checkpoint {resume} to resume from; give the path of a run's checkpoints/last.ckpt."
            )
        if self.last.exists() and (resume is None or not self.last.samefile(resume)):
            way_out = shlex.quote(override("resume", self.last))
            raise UserError(f"{path} already holds a run; go on with it by {way_out}, or choose another hydra.run.dir.")

    def write_config(self, config: dict[str, Any]) -> None:
        """config.yaml: every key of the composed configuration."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
