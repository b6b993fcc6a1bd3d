"""The newest checkpoint of a run, from which it is resumed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint


class KeepLast(Checkpoint):
    """Writes last.ckpt at every validation and every so many minutes between them.

    Lightning's own checkpoint callback writes it only when the score improves, so a run
    on a plateau would lose its work.
    """

    def __init__(self, folder: str | Path, *, every_minutes: float = 10.0) -> None:
        self.file = Path(folder) / "last.ckpt"
        self.every_seconds = 60 * every_minutes
        self._written_at = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._written_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        is_due = time.monotonic() - self._written_at > self.every_seconds
        if trainer.world_size > 1:  # the clocks of the processes differ, and all of them have to write
            is_due = trainer.strategy.broadcast(is_due)
        if is_due:
            self._write(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.file)
        self._written_at = time.monotonic()
