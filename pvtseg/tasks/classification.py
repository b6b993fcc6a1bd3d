"""A class for the image."""

from torch import Tensor

from pvtseg.interfaces import Batch
from pvtseg.losses.terms import terms
from pvtseg.tasks.base import Task


class Classification(Task):
    """Learns from class indices (B,), answers with logits (B, num_classes)."""

    name = "classification"

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return terms(self.loss, self.model.answer(batch["image"]), batch["target"])

    def predict(self, batch: Batch) -> Tensor:
        return self.inference(self.model, batch["image"])
