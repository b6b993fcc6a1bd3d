"""From the bytes of an image to the numbers that a model wants, and back; on whatever device the image is."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Normalize:
    """uint8 image (..., 3, H, W) -> float: (image / 255 - mean) / std, mean and std one number per channel, in 0..1.

    A list of images, at several scales, gives a list.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        self.mean = torch.tensor(mean)[:, None, None] * 255
        self.std = torch.tensor(std)[:, None, None] * 255

    def __call__(self, image: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
        if isinstance(image, list):
            return [self(scale) for scale in image]
        return (image - self.mean.to(image.device)) / self.std.to(image.device)

    def invert(self, image: Tensor) -> Tensor:
        """Float image -> the uint8 image that it came from."""
        return (image * self.std.to(image.device) + self.mean.to(image.device)).round().clamp(0, 255).to(torch.uint8)
