"""A picture at each validation: image, target and prediction side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning import Callback, LightningModule, Trainer

from pvtseg.drawing import image_grid
from pvtseg.layers.outputs import to_numpy, unbatched
from pvtseg.layers.resize import resize

if TYPE_CHECKING:
    import numpy as np

    from pvtseg.interfaces import Batch, Visualizer


class DrawPredictions(Callback):
    """Writes predictions/step_NNNNNN.png into the run's folder: `num_images` images
    from all over the validation data.

    Images that follow each other in a data set, such as frames of a video, often look
    the same.
    """

    def __init__(self, visualizer: Visualizer, *, num_images: int = 8) -> None:
        self.visualizer = visualizer
        self.num_images = num_images
        self._rows: list[list[np.ndarray]] = []
        self._drawn: list[Any] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._rows, self._drawn = [], []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        num_batches = int(sum(trainer.num_val_batches))
        wanted = self._quota(batch_idx + 1, num_batches) - self._quota(batch_idx, num_batches)
        if wanted == 0 or not trainer.is_global_zero:
            return
        targets = unbatched(batch["target"])
        data = cast(Any, trainer).datamodule
        for index in range(min(wanted, len(outputs))):
            height, width = batch["image_size"][index]
            image = data.normalize.invert(batch["image"][index : index + 1, :, :height, :width])
            image = resize(image.float(), batch["size"][index])[0].round().to(torch.uint8)
            picture = image.permute(1, 2, 0).cpu().numpy()
            target, prediction = to_numpy(targets[index]), to_numpy(outputs[index])
            self._rows.append([picture, self.visualizer(target, picture), self.visualizer(prediction, picture)])
            self._drawn += [target, prediction]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._rows and not trainer.sanity_checking:
            folder = Path(trainer.default_root_dir) / "predictions"
            folder.mkdir(parents=True, exist_ok=True)
            legend = self.visualizer.legend(self._drawn)
            grid = image_grid(self._rows, ["image", "target", "prediction"], legend)
            grid.save(folder / f"step_{trainer.global_step:06d}.png")
        self._rows, self._drawn = [], []

    def _quota(self, num_done: int, num_batches: int) -> int:
        """The images that the first `num_done` batches give, when all batches together
        give `num_images`.
        """
        return math.ceil(self.num_images * num_done / num_batches)
