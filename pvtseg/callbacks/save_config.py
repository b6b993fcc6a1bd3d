"""The run's configuration in every checkpoint, because a checkpoint needs nothing else."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer

from pvtseg.checkpoints.files import CONFIG_KEY, pack


class SaveConfig(Callback):
    """Stores `config`, plain containers, beside the weights."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[CONFIG_KEY] = pack(self.config)
