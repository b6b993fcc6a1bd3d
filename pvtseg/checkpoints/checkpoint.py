"""Any source as one thing: weights under our names, and the configuration that goes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pvtseg.checkpoints.anatomy import Anatomy
from pvtseg.checkpoints.convert.formats import recognize
from pvtseg.checkpoints.describe import describe, epsilons, facts_of
from pvtseg.checkpoints.files import is_ours, unpack
from pvtseg.checkpoints.io import State
from pvtseg.checkpoints.sources import Source, open_source
from pvtseg.errors import UserError


class Checkpoint(NamedTuple):
    """source: as it was given. layout: pvtseg, official, timm or huggingface. left_over: names that no model of ours has."""

    source: str
    layout: str
    config: dict[str, Any]
    state: State
    left_over: list[str]


def read_checkpoint(
    source: str | Path, *, norm_eps: str | None = None, max_depth: float | None = None, **hub_options: Any
) -> Checkpoint:
    """Reads whatever a source is: a file, a folder or a name on the Hugging Face hub, in any of the known formats.

    norm_eps: "official" or "huggingface" gives the norms that code's epsilons; None those of the code that the source is for.
    max_depth: in meters, for an official GLPN file, which does not say; 10 (NYU) without it. hub_options: `revision`,
    `token`, `cache` and `offline`. Raises UserError for anything that cannot be read or is no model of ours.
    """
    found = open_source(source, **hub_options)
    try:
        checkpoint = _ours(found) if is_ours(found.weights) else _published(found, max_depth)
        if norm_eps is not None:
            checkpoint.config["backbone"] |= epsilons(norm_eps, Anatomy.of(checkpoint.state))
    except UserError as error:
        raise UserError(f"{found.name}: {error}") from error
    return checkpoint


def _ours(found: Source) -> Checkpoint:
    config, state = unpack(found.weights)
    return Checkpoint(found.name, "pvtseg", config, state, [])


def _published(found: Source, max_depth: float | None) -> Checkpoint:
    names = found.weights.state.keys()
    format = recognize(names)
    if format is None:
        raise UserError(
            f"the weights are of another model ({_whose(found)}); "
            "pvtseg reads PVT v2, MiT, SegFormer and GLPN as their authors, timm and Hugging Face write them."
        )
    state = format.to_ours(found.weights.state)
    anatomy = Anatomy.of(state)
    facts = facts_of(anatomy, format, found.config, found.processor, found.weights.extras)
    config = describe(anatomy, facts, max_depth=max_depth)
    return Checkpoint(found.name, format.layout, config, state, format.left_over(names))


def _whose(found: Source) -> str:
    kind = found.config.get("model_type", found.config.get("architecture"))
    return f"a {kind}" if kind else f"with {', '.join(list(found.weights.state)[:2])}"
