"""What weights say about the model that they belong to: read off their names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from pvtseg.checkpoints.convert.names import NUM_STAGES
from pvtseg.errors import UserError

HEADS = {  # a name that only this task's head has; the classifier's is in other heads, too, and comes last
    "segmentation": "head.branches.0.project.weight",
    "depth": "head.estimate.0.weight",
    "classification": "head.classify.weight",
}


@dataclass(frozen=True)
class Anatomy:
    """A backbone and its head in numbers.

    task is that of the head, None without one; num_classes and head_channels are None where the head has none.
    """

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    mlp_ratios: tuple[int, ...]
    linear: bool
    in_channels: int
    task: str | None
    num_classes: int | None
    head_channels: int | None

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> Anatomy:
        """Of weights under our names. Raises UserError where a part of the backbone is missing."""
        stages = [f"backbone.stages.{stage}" for stage in range(NUM_STAGES)]
        needed = [f"{stage}.{part}.weight" for stage in stages for part in ("embed.project", "blocks.0.mlp.depthwise", "norm")]
        missing = [name for name in needed if name not in state]
        if missing:
            raise UserError(f"the weights are incomplete: {missing[0]} is missing; use the whole file.")
        channels = [len(state[f"{stage}.norm.weight"]) for stage in stages]
        hidden = [len(state[f"{stage}.blocks.0.mlp.depthwise.weight"]) for stage in stages]
        task = next((task for task, name in HEADS.items() if name in state), None)
        classify = state.get("head.classify.weight")
        return cls(
            channels=tuple(channels),
            depths=tuple(_count_blocks(stage, state) for stage in stages),
            mlp_ratios=tuple(expanded // width for expanded, width in zip(hidden, channels, strict=True)),
            linear=f"{stages[-1]}.blocks.0.attention.reduce.conv.weight" in state,
            in_channels=state[f"{stages[0]}.embed.project.weight"].shape[1],
            task=task,
            num_classes=None if classify is None else len(classify),
            head_channels=_head_channels(task, state),
        )


def _count_blocks(stage: str, state: Mapping[str, Tensor]) -> int:
    pattern = re.compile(re.escape(stage) + r"\.blocks\.(\d+)\.")
    return 1 + max(int(match.group(1)) for match in map(pattern.match, state) if match)


def _head_channels(task: str | None, state: Mapping[str, Tensor]) -> int | None:
    if task == "segmentation":
        return len(state["head.norm.weight"])
    if task == "depth":
        return len(state["head.estimate.0.weight"])
    return None
