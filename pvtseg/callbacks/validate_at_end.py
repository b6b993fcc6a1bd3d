"""Validates the end of a training whose length is no multiple of the validation interval."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer


class ValidateAtEnd(Callback):
    """Sets `trainer.should_stop` after the last batch, because Lightning then validates
    inside `fit`, where the checkpoint callback sees the result.

    Without it, the steps after the last interval would be trained but neither measured
    nor saved.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        is_last_step = 0 < trainer.max_steps <= trainer.global_step
        is_last_epoch = trainer.max_epochs is not None and trainer.current_epoch + 1 == trainer.max_epochs
        if is_last_step or (is_last_epoch and trainer.is_last_batch):
            trainer.should_stop = True
        if trainer.should_stop and trainer.check_val_every_n_epoch is not None:
            trainer.check_val_every_n_epoch = 1  # this epoch is the last one, and not to be passed over
