"""The whole image in one forward pass."""

from torch import Tensor

from pvtseg.interfaces import Model


class Whole:
    """Asks the model once. Image (B, 3, H, W) -> the head's answer at its own resolution."""

    protocol = "whole image"

    def __call__(self, model: Model, image: Tensor) -> Tensor:
        return model.answer(image)
