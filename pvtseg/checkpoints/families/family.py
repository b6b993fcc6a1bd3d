"""All that is known of one published family of checkpoints, as one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pvtseg.checkpoints.architecture import Architecture, HeadKind
from pvtseg.checkpoints.names import Format

Node = dict[str, Any]
Epsilons = tuple[float, float]  # of the norms that follow a convolution, and of all others

OFFICIAL_EPS: Epsilons = (1e-5, 1e-6)
NYU_DEPTH = 10.0  # meters; official files do not say, and are taken for NYU's


class Settings(NamedTuple):
    """The settings that lie beside published weights.

    config: config.json. processor: preprocessor_config.json. extras: what stands beside
    the weights in their file. All are empty dictionaries if there is nothing.
    """

    config: Node
    processor: Node
    extras: Node


@dataclass(frozen=True)
class Facts:
    """The facts of a published model that its weights do not show.

    image: the nodes `eval_transform` and `normalize`. names, palette, ignore_index: of
    its classes. max_depth: in meters. interpolation: how depth is brought to the size
    of the image. backbone: further options of the backbone.
    """

    eps: Epsilons
    image: Node
    names: list[str] | None = None
    palette: list[list[int]] | None = None
    ignore_index: int = 255
    max_depth: float = NYU_DEPTH
    interpolation: str = "bilinear"
    backbone: Node = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """A published family.

    name: transformers' model_type if it is there. formats: the ways to name its
    weights.
    head: the head that came with it. eps: the epsilons of its norms by convention, such
    as "official" and "huggingface". read: (architecture, layout, settings) -> the
    facts.
    write: (architecture, layout, configuration of ours) -> the settings to write beside
    the weights; extras go into the same file.
    """

    name: str
    formats: tuple[Format, ...]
    head: HeadKind
    eps: Mapping[str, Epsilons]
    read: Callable[[Architecture, str, Settings], Facts]
    write: Callable[[Architecture, str, Node], Settings]
