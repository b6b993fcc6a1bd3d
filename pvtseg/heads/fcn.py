"""A small fully convolutional head on one map: PSPNet's auxiliary head
(https://arxiv.org/abs/1612.01105, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pvtseg.errors import UserError
from pvtseg.interfaces import Features, Size


class FCNHead(nn.Module):
    """One convolution on the map of one stage, then a class for each pixel. Features ->
    logits (B, num_classes, h, w).

    stage: which of the backbone's maps, counted from 1. Raises UserError for a stage
    that the backbone does not have.
    """

    def __init__(
        self, in_channels: Sequence[int], num_classes: int, *, stage: int = 3, channels: int = 256, dropout: float = 0.1
    ):
        super().__init__()
        if not 1 <= stage <= len(in_channels):
            raise UserError(
                f"stage={stage}, and the backbone has {len(in_channels)} maps; use stage=1 to {len(in_channels)}."
            )
        self.stage = stage
        self.convolve = nn.Sequential(
            nn.Conv2d(in_channels[stage - 1], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Features, image_size: list[Size] | None = None) -> Tensor:  # noqa: ARG002
        return self.classify(self.dropout(self.convolve(features[self.stage - 1])))
