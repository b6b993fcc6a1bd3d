"""Carries the state of the random numbers through a checkpoint, so that a resumed run
drops the same paths.
"""

from __future__ import annotations

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer


class ExactResume(Callback):
    """Stores torch's generators with each checkpoint and sets them back before the
    first batch after a resume.

    The data module's samplers remember where they were by themselves. A checkpoint
    holds the first process's generators: a run on one device repeats to the bit, on
    several the others begin new streams.
    """

    def __init__(self) -> None:
        self._pending: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._pending = state_dict

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._pending and trainer.is_global_zero:
            torch.set_rng_state(self._pending["cpu"])
            torch.cuda.set_rng_state_all(self._pending["cuda"][: torch.cuda.device_count()])
        self._pending = {}
