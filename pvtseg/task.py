"""Training and evaluation of any model on any target: the one LightningModule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from lightning import LightningModule
from torch import Tensor

from pvtseg.layers.outputs import unbatched
from pvtseg.losses.cross_entropy import CrossEntropy

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from pvtseg.interfaces import Batch, Inference, Metrics, PostProcess
    from pvtseg.model import Model


class Task(LightningModule):
    """A model with its loss, inference, postprocess, metrics, optimizer and schedule.
    Nobody subclasses it.

    optimizer: model -> optimizer. schedule: (optimizer, number of steps) ->
    learning-rate schedule. After an evaluation, `results` holds the metrics as plain
    numbers by name.
    """

    def __init__(
        self,
        model: Model,
        *,
        name: str,
        loss: nn.Module,
        postprocess: PostProcess,
        metrics: Metrics,
        inference: Inference,
        optimizer: Callable[[Model], Optimizer],
        schedule: Callable[..., Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.name = name
        self.loss = loss
        self.postprocess = postprocess
        self.metrics = metrics
        self.inference = inference
        self.results: dict[str, float] = {}
        self.make_optimizer = optimizer
        self.make_schedule = schedule

    def compile(self, **options: Any) -> None:
        """Compiles the model and the cross-entropies of the loss, with the options of
        `torch.compile`.
        """
        self.model.compile(**options)
        for part in self.loss.modules():
            if isinstance(part, CrossEntropy):
                part.compile(**options)

    def training_step(self, batch: Batch) -> Tensor:
        losses = self.loss(self.model(batch["image"], batch["image_size"]), batch["target"])
        total = torch.stack([*losses.values()]).sum()
        for name, value in losses.items():
            self.log(f"train/{name}", value.detach())
        self.log("train/loss", total.detach(), prog_bar=True)
        self.log("train/lr", max(group["lr"] for group in self.trainer.optimizers[0].param_groups))
        return total

    def predict(self, batch: Batch) -> list[Any]:
        """One prediction per image, at `batch["size"]`."""
        return self.postprocess(self.inference(self.model, batch), batch["size"])

    def validation_step(self, batch: Batch) -> Any:  # the predictions, one per image
        predictions = self.predict(batch)
        self.metrics.update(predictions, unbatched(batch["target"]))
        return predictions

    def on_validation_epoch_end(self) -> None:
        self.results = {name: float(value) for name, value in self.metrics.compute().items()}
        self.metrics.reset()
        absent = {name for name in self.metrics.per_class if math.isnan(self.results.get(name, 0.0))}
        self.log_dict({f"val/{name}": value for name, value in self.results.items() if name not in absent})

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.model)
        schedule = self.make_schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
