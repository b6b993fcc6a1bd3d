"""The architecture that weights belong to, read from their names and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pvtseg.checkpoints.names import NUM_STAGES
from pvtseg.errors import UserError


@dataclass(frozen=True)
class HeadKind:
    """A head of ours as a family publishes it.

    task: what it predicts. target: the class. marker: a tensor that only this head has.
    options: reads the head's sizes, `num_classes` and `channels`, from the weights.
    """

    task: str
    target: str
    marker: str
    options: Callable[[Mapping[str, Tensor]], dict[str, Any]]


@dataclass(frozen=True)
class Architecture:
    """The sizes of a backbone and its head.

    head is None for a backbone alone; `head_options` are its sizes, see `HeadKind`.
    """

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    mlp_ratios: tuple[int, ...]
    reductions: tuple[int, ...]
    linear: bool
    qkv_bias: bool
    in_channels: int
    head: HeadKind | None
    head_options: Mapping[str, Any]

    @classmethod
    def of(cls, state: Mapping[str, Tensor], heads: Iterable[HeadKind]) -> Architecture:
        """The architecture of weights under our names, with one of these heads or none.

        Raises UserError if a part of the backbone is missing.
        """
        stages = [f"backbone.stages.{stage}" for stage in range(NUM_STAGES)]
        needed = [
            f"{stage}.{part}.weight" for stage in stages for part in ("embed.project", "blocks.0.mlp.depthwise", "norm")
        ]
        missing = [name for name in needed if name not in state]
        if missing:
            raise UserError(f"the weights are incomplete: {missing[0]} is missing; use the whole file.")
        channels = [len(state[f"{stage}.norm.weight"]) for stage in stages]
        hidden = [len(state[f"{stage}.blocks.0.mlp.depthwise.weight"]) for stage in stages]
        reduce = [state.get(f"{stage}.blocks.0.attention.reduce.conv.weight") for stage in stages]
        head = next((head for head in heads if head.marker in state), None)
        return cls(
            channels=tuple(channels),
            depths=tuple(_count_blocks(stage, state) for stage in stages),
            mlp_ratios=tuple(expanded // width for expanded, width in zip(hidden, channels, strict=True)),
            reductions=tuple(1 if conv is None else conv.shape[-1] for conv in reduce),
            linear=all(conv is not None and conv.shape[-1] == 1 for conv in reduce),  # keys from a pooled grid
            qkv_bias=any(name.endswith(".attention.query.bias") for name in state),
            in_channels=state[f"{stages[0]}.embed.project.weight"].shape[1],
            head=head,
            head_options={} if head is None else head.options(state),
        )

    @property
    def task(self) -> str | None:
        """The head's task, None without a head."""
        return None if self.head is None else self.head.task

    @property
    def num_classes(self) -> int | None:
        """The head's number of classes, None if it has none."""
        return self.head_options.get("num_classes")


def _count_blocks(stage: str, state: Mapping[str, Tensor]) -> int:
    pattern = re.compile(re.escape(stage) + r"\.blocks\.(\d+)\.")
    return 1 + max(int(match.group(1)) for match in map(pattern.match, state) if match)
