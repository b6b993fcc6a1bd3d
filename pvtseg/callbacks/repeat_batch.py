"""Trains on one batch only, to see whether a model can learn it by heart."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer

from pvtseg.interfaces import Batch


class RepeatBatch(Callback):
    """Puts the first training batch in the place of every later one, with the same augmentation."""

    def __init__(self) -> None:
        self._first: dict[str, Any] = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        self._first = self._first or dict(batch)
        batch.update(self._first)
