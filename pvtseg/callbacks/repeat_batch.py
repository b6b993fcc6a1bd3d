"""Trains on one batch only, to see whether a model can overfit it."""

from __future__ import annotations

from lightning import Callback, LightningModule, Trainer

from pvtseg.interfaces import Batch


class RepeatBatch(Callback):
    """Puts the first training batch in the place of every later one, with the same
    augmentation.
    """

    def __init__(self) -> None:
        self._first: Batch | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        if self._first is None:
            self._first = batch.copy()
        batch.update(self._first)
