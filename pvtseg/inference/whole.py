"""The whole image in one forward pass."""

from torch import Tensor

from pvtseg.interfaces import Model


class Whole:
    """Asks the model once. Image (B, 3, H, W) -> the head's answer at its own resolution.

    full_size: bring the answer to the image's size here, before it goes on to the size that is wanted, as mmsegmentation does;
    the two steps differ from one in a pixel of a thousand, and hold all class scores at the size of the model's image.
    """

    def __init__(self, *, full_size: bool = False) -> None:
        self.full_size = full_size

    @property
    def protocol(self) -> str:
        """The name of this way to ask, for whoever compares numbers."""
        return "whole image, scores upsampled to it first" if self.full_size else "whole image"

    def __call__(self, model: Model, image: Tensor) -> Tensor:
        return model(image) if self.full_size else model.answer(image)
