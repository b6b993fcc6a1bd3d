"""Puts the run's configuration into every checkpoint, so that a checkpoint needs nothing else."""

from typing import Any

from lightning import Callback, LightningModule, Trainer

from pvtseg.checkpoints.files import CONFIG_KEY


class CarryConfig(Callback):
    """Stores `config`, plain containers, beside the weights."""

    def __init__(self, config: dict[str, Any]):
        self.config = config

    def on_save_checkpoint(self, trainer: Trainer, task: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[CONFIG_KEY] = self.config
