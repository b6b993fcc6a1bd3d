"""The image and its mirror image, averaged: what depth estimation calls test-time augmentation (BTS,
https://arxiv.org/abs/1907.10326; AdaBins, https://arxiv.org/abs/2011.14141). GLPN's published numbers are without it.
"""

from torch import Tensor

from pvtseg.interfaces import Inference, Model


class Flip:
    """The mean of what `each` answers for the image and, mirrored back, for its mirror image. Answers as `each` does."""

    def __init__(self, each: Inference) -> None:
        self.each = each

    @property
    def protocol(self) -> str:
        """The name of this way to ask, for whoever compares numbers."""
        return f"{self.each.protocol}, averaged with its mirror image"

    def __call__(self, model: Model, image: Tensor) -> Tensor:
        return (self.each(model, image) + mirrored(self.each(model, image.flip(-1)))) / 2


def mirrored(answer: Tensor) -> Tensor:
    """Maps (B, K, H, W), mirrored. One answer for the whole image, (B, K), has no sides."""
    return answer.flip(-1) if answer.ndim == 4 else answer
