"""A distance for each pixel."""

from torch import Tensor

from pvtseg.interfaces import Batch
from pvtseg.layers.resize import resize
from pvtseg.losses.terms import terms
from pvtseg.tasks.base import Task


class Depth(Task):
    """Learns from and answers with depth in meters (B, 1, H, W); 0 in a target is no reading."""

    name = "depth"

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return terms(self.loss, self.model.answer(batch["image"]), batch["target"])

    def predict(self, batch: Batch) -> Tensor:
        meters = self.inference(self.model, batch["image"])
        return resize(meters, batch["size"]).to(batch["image"].device)  # meters may have been gathered elsewhere
