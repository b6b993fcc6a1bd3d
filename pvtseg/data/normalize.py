"""From the bytes of an image to the numbers that a model wants, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pvtseg.interfaces import Batch


class Normalize(nn.Module):
    """uint8 image (..., C, H, W) -> float image: (image / 255 - mean) / std.

    mean, std: one number per channel, in 0..1. The buffers of these names are
    (C, 1, 1), in 0..255, and are no part of a state dict.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean)[:, None, None] * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None] * 255, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std

    def invert(self, image: Tensor) -> Tensor:
        """Float image (..., C, H, W) -> the uint8 image that it was made from."""
        return (image * self.std + self.mean).round().clamp(0, 255).to(torch.uint8)


def normalize_batch(batch: Batch, normalize: nn.Module) -> Batch:
    """The batch with its image and each view normalized.

    The padding becomes 0, which is the mean color. A batch without `views` gets
    `[image]`.
    """
    image = _without_padding(normalize(batch["image"]), batch)
    views = batch.get("views")
    if views is None or views[0] is batch["image"]:
        return {**batch, "image": image, "views": [image]}
    return {**batch, "image": image, "views": [normalize(view) for view in views]}


def _without_padding(image: Tensor, batch: Batch) -> Tensor:
    """Sets the padding of each image (B, C, H, W) to 0."""
    for number, (height, width) in enumerate(batch["image_size"]):
        if (height, width) != image.shape[-2:]:
            image[number, :, height:] = 0
            image[number, :, :, width:] = 0
    return image
