"""The whole image in one forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvtseg.layers.outputs import map_outputs
from pvtseg.layers.resize import resize

if TYPE_CHECKING:
    from torch import nn

    from pvtseg.interfaces import Batch, Outputs


class Whole:
    """Runs the model once on the whole image; the outputs stay at the head's own
    resolution.

    full_size: upsample the outputs to the image's size first, as mmsegmentation does,
    before they are upsampled to the wanted size. The two steps change about one label
    in a thousand and hold all logits at the image's size.
    """

    ratios = None

    def __init__(self, *, full_size: bool = False) -> None:
        self.full_size = full_size

    @property
    def protocol(self) -> str:
        return "whole image, logits upsampled to it first" if self.full_size else "whole image"

    def __call__(self, model: nn.Module, batch: Batch) -> list[Outputs]:
        outputs = model(batch["image"], batch["image_size"])
        if self.full_size:
            outputs = map_outputs(lambda maps: resize(maps, batch["image"].shape[-2:]), outputs)
        return [outputs]
