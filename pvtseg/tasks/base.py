"""What every task does the same: a training step, an evaluation, an optimizer. A task says what to learn and what to answer."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric

from pvtseg.interfaces import Batch, Inference
from pvtseg.losses.cross_entropy import CrossEntropy


class Task(LightningModule, ABC):
    """A model, what it learns from (loss), how it is asked (inference) and how it is judged (metrics).

    `optimizer` makes an optimizer from the model, `schedule` a learning-rate schedule from that and the number of steps.
    After an evaluation the figures are in `results`, plain numbers by name.
    """

    name: str

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: nn.Module,
        metrics: Metric,
        inference: Inference,
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Callable[..., Any],
    ):
        super().__init__()
        self.model = model
        self.loss = loss
        self.metrics = metrics
        self.inference = inference
        self.results: dict[str, float] = {}
        self._optimizer = optimizer
        self._schedule = schedule

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """What this batch teaches: scalars by name; their sum is minimized."""

    @abstractmethod
    def predict(self, batch: Batch) -> Tensor:
        """The answer at `batch["size"]`, in the form that the metrics and the pictures take."""

    def compile(self, **options: Any) -> None:
        """Compiles the model's parts and, where the loss is cross-entropy, that, with the options of `torch.compile`."""
        self.model.compile(**options)
        for part in self.loss.modules():
            if isinstance(part, CrossEntropy):
                part.compile(**options)

    def training_step(self, batch: Batch) -> Tensor:
        losses = self.losses(batch)
        total = sum(losses.values())
        for name, value in losses.items():
            self.log(f"train/{name}", value.detach())
        self.log("train/loss", total.detach(), prog_bar=True)
        self.log("train/lr", max(group["lr"] for group in self.trainer.optimizers[0].param_groups))
        return total

    def validation_step(self, batch: Batch) -> Tensor:
        prediction = self.predict(batch)
        self.metrics.update(prediction, batch["target"])
        return prediction

    def on_validation_epoch_end(self) -> None:
        self.results = {name: float(value) for name, value in self.metrics.compute().items()}
        self.metrics.reset()
        of_absent_classes = [name for name, value in self.results.items() if "/" in name and math.isnan(value)]
        self.log_dict({f"val/{name}": value for name, value in self.results.items() if name not in of_absent_classes})

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = self._optimizer(self.model)
        schedule = self._schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
