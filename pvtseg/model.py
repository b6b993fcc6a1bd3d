"""A backbone and one or several heads, joined."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from pvtseg.interfaces import Features, Outputs, Size


class Model(nn.Module):
    """Image (B, in_channels, H, W) -> the head's outputs, at the head's own resolution.

    image_size: (height, width) of each image without padding; None for images without
    padding.
    config: the configuration that describes the model and how it was trained; whoever
    saves the model writes it too.
    """

    backbone: Any  # a Backbone and an nn.Module
    head: Any  # a Head and an nn.Module

    def __init__(self, backbone: nn.Module, head: nn.Module, *, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.config: dict[str, Any] = dict(config or {})

    def forward(self, image: Tensor, image_size: list[Size] | None = None) -> Outputs:
        return self.head(self.backbone(image), image_size)

    def compile(self, **options: Any) -> None:
        """Compiles backbone and head in place, with the options of `torch.compile`;
        parameter names do not change.
        """
        for part in self.children():
            part.compile(**options)


class Heads(nn.ModuleDict):
    """Several heads on the same features: features -> the outputs of each head, by
    name.

    training_only: names of the auxiliary heads. They run in training alone, because
    only a loss reads their outputs.
    """

    def __init__(self, heads: Mapping[str, nn.Module], *, training_only: Collection[str] = ()) -> None:
        super().__init__(heads)
        self.training_only = frozenset(training_only)

    def forward(self, features: Features, image_size: list[Size] | None = None) -> dict[str, Outputs]:
        return {
            name: head(features, image_size)
            for name, head in self.items()
            if self.training or name not in self.training_only
        }

    def compile(self, **options: Any) -> None:
        """Compiles each head in place."""
        for head in self.values():
            head.compile(**options)


def count_multiply_adds(model: nn.Module, size: Size) -> int:
    """Multiply-adds of one forward pass on an image of `size`, norms and activations
    not counted.

    model: a `Model`, or a backbone alone.
    """
    model = copy.deepcopy(model).to("meta").eval()
    backbone: Any = getattr(model, "backbone", model)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, backbone.in_channels, *size, device="meta"))
    return counter.get_total_flops() // 2
