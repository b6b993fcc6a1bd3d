"""A class for each pixel."""

from torch import Tensor

from pvtseg.interfaces import Batch
from pvtseg.layers.upsampled_argmax import upsampled_argmax
from pvtseg.losses.terms import terms
from pvtseg.tasks.base import Task


class Segmentation(Task):
    """Learns from and answers with class indices (B, H, W)."""

    name = "segmentation"

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return terms(self.loss, self.model.answer(batch["image"]), batch["target"])

    def predict(self, batch: Batch) -> Tensor:
        scores = self.inference(self.model, batch["image"])
        return upsampled_argmax(scores, batch["size"]).to(batch["target"].device)  # scores may have been gathered elsewhere
