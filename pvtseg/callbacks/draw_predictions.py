"""A picture sheet at each validation: image, truth and prediction side by side."""

import math
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from pvtseg.drawing import Painter, sheet
from pvtseg.interfaces import Batch
from pvtseg.layers.resize import resize


class DrawPredictions(Callback):
    """Writes predictions/step_NNNNNN.png into the run's folder: `num_images` images from all over the validation data.

    Neighbors in a data set, frames of a video say, often look the same.
    """

    def __init__(self, painter: Painter, *, num_images: int = 8):
        self.painter = painter
        self.num_images = num_images
        self._rows: list[list[Any]] = []

    def on_validation_epoch_start(self, trainer: Trainer, task: LightningModule) -> None:
        self._rows = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        task: LightningModule,
        outputs: Tensor,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        num_batches = sum(trainer.num_val_batches)
        wanted = self._share(batch_idx + 1, num_batches) - self._share(batch_idx, num_batches)
        if wanted == 0 or not trainer.is_global_zero:
            return
        image = batch["image"][-1] if isinstance(batch["image"], list) else batch["image"]  # of several scales, the last
        images = resize(image[:wanted].float(), batch["size"])
        images = trainer.datamodule.normalize.invert(images).permute(0, 2, 3, 1).cpu().numpy()
        truths, answers = (self._plain(maps[:wanted]) for maps in (batch["target"], outputs))
        for image, truth, answer in zip(images, truths, answers, strict=True):
            self._rows.append([image, self.painter(truth, image), self.painter(answer, image)])

    def on_validation_epoch_end(self, trainer: Trainer, task: LightningModule) -> None:
        if self._rows and not trainer.sanity_checking:
            folder = Path(trainer.default_root_dir) / "predictions"
            folder.mkdir(parents=True, exist_ok=True)
            titles = ["image", "truth", "prediction"]
            sheet(self._rows, titles, self.painter.legend()).save(folder / f"step_{trainer.global_step:06d}.png")
        self._rows = []

    def _share(self, num_done: int, num_batches: int) -> int:
        """How many images the first `num_done` batches give, so that all of them together give `num_images`."""
        return math.ceil(self.num_images * num_done / num_batches)

    @staticmethod
    def _plain(maps: Tensor) -> Any:
        """On the CPU, in float32 where it was a shorter float."""
        maps = maps.detach().cpu()
        return (maps.float() if maps.is_floating_point() and maps.dtype != torch.float64 else maps).numpy()
