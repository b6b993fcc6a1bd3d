"""The checkpoints of a training on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from pvtseg.files import replacing


class TrainingCheckpointIO(TorchCheckpointIO):
    """Writes each checkpoint beside its place, completely or not at all.

    Lightning itself writes into the system's temporary folder and moves the file from
    there. Between file systems that is a copy, which a kill or a full disk cuts off.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        if storage_options is not None:
            raise TypeError(f"storage_options are {storage_options}; a local file has none.")
        with replacing(Path(path)) as partial:
            torch.save(checkpoint, partial)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = lambda storage, _: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """The checkpoint, read without running code that may be in it."""
        return super().load_checkpoint(path, map_location, weights_only=weights_only is not False)
