"""A backbone and a head, joined."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pvtseg.interfaces import Backbone, Head
from pvtseg.layers.resize import resize


class ImageModel(nn.Module):
    """One answer for the whole image: image (B, C, H, W) -> logits (B, num_classes)."""

    def __init__(self, backbone: Backbone, head: Head):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def answer(self, image: Tensor) -> Tensor:
        """The head's answer at the head's own resolution, what losses and predictions start from."""
        return self.head(self.backbone(image))

    def forward(self, image: Tensor) -> Tensor:
        return self.answer(image)

    def compile(self, **options: Any) -> None:
        """Compiles the parts, in place, with the options of `torch.compile`; names of parameters stay what they are."""
        for part in self.children():
            part.compile(**options)


class DenseModel(ImageModel):
    """One answer for each pixel: image (B, C, H, W) -> (B, K, H, W) at the image's own size."""

    def forward(self, image: Tensor) -> Tensor:
        return resize(self.answer(image), image.shape[-2:])


class SupervisedModel(DenseModel):
    """A dense model with a second head, which learns beside the first and is asked in training only.

    In training `answer` gives two answers, the main one and the auxiliary one, each at its head's resolution.
    """

    def __init__(self, backbone: Backbone, head: Head, auxiliary: Head):
        super().__init__(backbone, head)
        self.auxiliary = auxiliary

    def answer(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = self.backbone(image)
        if self.training:
            return self.head(features), self.auxiliary(features)
        return self.head(features)


def count_multiply_adds(model: nn.Module, in_channels: int, size: tuple[int, int]) -> int:
    """Multiply-adds of one forward pass of `answer` on an image of (height, width), norms and activations not counted."""
    model = copy.deepcopy(model).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.answer(torch.empty(1, in_channels, *size, device="meta"))
    return counter.get_total_flops() // 2
