"""The linear classifier on the mean of the last map (PVT v2,
https://arxiv.org/abs/2106.13797, section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pvtseg.interfaces import Features, Size


class LinearHead(nn.Module):
    """Classifies the mean of the coarsest map over the image. Features -> logits (B,
    num_classes).
    """

    def __init__(self, in_channels: Sequence[int], num_classes: int):
        super().__init__()
        self.classify = nn.Linear(in_channels[-1], num_classes)
        nn.init.trunc_normal_(self.classify.weight, std=0.02)
        nn.init.zeros_(self.classify.bias)

    def forward(self, features: Features, image_size: list[Size] | None = None) -> Tensor:  # noqa: ARG002
        return self.classify(features[-1].mean(dim=(2, 3)))
