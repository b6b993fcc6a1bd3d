"""Puts weights into a model that is not quite theirs: another number of channels, other classes. Says what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

FIRST_CONVOLUTION = "stages.0.embed.project.weight"
CLASSIFIER = ("head.classify.weight", "head.classify.bias")  # one row per class in every head that has classes


@dataclass
class Report:
    """What was loaded from a source and what was not. Printed, it is one readable line.

    loaded: names of tensors. unused: names that the source has and the model has no place for. fresh: names that keep
    their random start. notes: what was changed on the way, in words.
    """

    source: str
    loaded: list[str]
    unused: list[str]
    fresh: list[str]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{len(self.loaded)} of {len(self.loaded) + len(self.fresh)} tensors from {self.source}", *self.notes]
        if self.fresh:
            parts.append(f"new: {_summary(self.fresh)}")
        if self.unused:
            parts.append(f"not used: {_summary(self.unused)}")
        return "; ".join(parts)


def adapt_in_channels(weight: Tensor, in_channels: int) -> Tensor:
    """The first convolution (C, old, k, k) for images of other channels: (C, in_channels, k, k).

    Fewer channels share the sum of all kernels. More take the kernels in turn, each divided by how often it is taken. Either
    way, an image whose channels are equal is answered as before.
    """
    old = weight.shape[1]
    if in_channels < old:
        return weight.sum(dim=1, keepdim=True).expand(-1, in_channels, -1, -1) / in_channels
    turns = torch.arange(in_channels) % old
    return weight[:, turns] / turns.bincount()[turns][:, None, None]


def adapt_classes(theirs: Tensor, ours: Tensor, their_names: Sequence[str], our_names: Sequence[str]) -> Tensor:
    """A classifier's tensor with a row per class: their row for each class that both know, ours for the others."""
    adapted = ours.clone()
    for row, name in enumerate(our_names):
        if name in their_names:
            adapted[row] = theirs[their_names.index(name)]
    return adapted


def _summary(names: Sequence[str]) -> str:
    """The modules that names belong to, shortened to two parts, each once."""
    modules = dict.fromkeys(".".join(name.split(".")[:2]) for name in names)
    shown = list(modules)[:4]
    return ", ".join(shown) + (f" and {len(modules) - 4} more" if len(modules) > 4 else "")
