"""Any source as one thing: weights under our names, and the configuration that goes
with them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from pvtseg.backbones.pvt_v2.activations import ACTIVATIONS
from pvtseg.backbones.pvt_v2.pyramid import PyramidVisionTransformer
from pvtseg.checkpoints import trust as trusting
from pvtseg.checkpoints.architecture import Architecture
from pvtseg.checkpoints.describe import describe
from pvtseg.checkpoints.families import FAMILIES
from pvtseg.checkpoints.families.family import Epsilons, Family, Settings
from pvtseg.checkpoints.files import is_ours, unpack
from pvtseg.checkpoints.io import State
from pvtseg.checkpoints.names import Format
from pvtseg.checkpoints.sources import Source, open_source
from pvtseg.errors import UserError

HEADS = tuple(dict.fromkeys(family.head for family in reversed(FAMILIES)))  # the classifier's marker is in others, too


class Checkpoint(NamedTuple):
    """The content of a source.

    source: the given one. layout: pvtseg, official, timm, huggingface or openmmlab.
    unmatched: names of tensors that no model of ours has.
    """

    source: str
    layout: str
    config: dict[str, Any]
    state: State
    unmatched: list[str]


def read_checkpoint(
    source: str | Path,
    *,
    norm_eps: str | None = None,
    max_depth: float | None = None,
    trust: Sequence[str] = (),
    revision: str | None = None,
    token: str | None = None,
    cache: str | Path | None = None,
    offline: bool = False,
) -> Checkpoint:
    """Reads a file, a folder or a name on the Hugging Face hub, in any of the known
    formats.

    norm_eps: "official" or "huggingface" gives the norms that code's epsilons; None
    those of the code that the source is for. max_depth: in meters, for an official GLPN
    file, which does not say; 10 (NYU) without it. trust: packages of the user's own
    whose parts the source may name. revision, token, cache, offline: for the hub.
    Raises UserError for a source that cannot be read, that holds no model of ours, or
    whose configuration names anything but parts of pvtseg and of the trusted packages.
    """
    found = open_source(source, revision=revision, token=token, cache=cache, offline=offline)
    try:
        checkpoint = _ours(found) if is_ours(found.weights) else _published(found, max_depth)
        trusting.check(checkpoint.config, trust)
        if norm_eps is not None:
            eps = _epsilons(norm_eps, Architecture.of(checkpoint.state, HEADS))
            checkpoint.config["backbone"] |= {"embed_eps": eps[0], "norm_eps": eps[1]}
    except UserError as error:
        raise UserError(f"{found.name}: {error}") from error
    return checkpoint


def describe_by_hand(model: nn.Module, state: State) -> dict[str, Any]:
    """The configuration of a model that was put together by hand, with the image of the
    authors' code.

    Raises UserError if its backbone is not one of pvtseg.
    """
    backbone: Any = getattr(model, "backbone", model)
    if not isinstance(backbone, PyramidVisionTransformer):
        raise UserError(
            f"a model with the backbone {type(backbone).__name__} needs its configuration; "
            "build it by build_model, or set model.config."
        )
    architecture = Architecture.of(state, HEADS)
    first: Any = backbone.stages[0]
    family = _family_of(architecture)
    layout = next(format.layout for format in family.formats if architecture.head in format.heads)
    facts = replace(
        family.read(architecture, layout, Settings({}, {}, {})),
        eps=(first.embed.norm.eps, first.norm.eps),
        backbone=_options_of(backbone),
    )
    max_depth = getattr(model.head, "max_depth", None) if architecture.head else None
    return describe(architecture, facts, max_depth=max_depth)


def _options_of(backbone: Any) -> dict[str, Any]:
    """The options of an encoder that its weights do not show, if they are not the defaults."""
    blocks = [stage.blocks[0] for stage in backbone.stages]
    seen = {
        "num_heads": [block.attention.num_heads for block in blocks],
        "activation": next(name for name, function in ACTIVATIONS.items() if function is blocks[0].mlp.activation),
        "out_indices": list(backbone.out_indices),
    }
    defaults = {"num_heads": [1, 2, 5, 8], "activation": "gelu", "out_indices": [0, 1, 2, 3]}
    return {key: value for key, value in seen.items() if value != defaults[key]}


def recognize(names: Collection[str]) -> tuple[Family, Format] | None:
    """The family and format that know most of the names; None if that is less than half
    of them.
    """
    known = [(family, format) for family in FAMILIES for format in family.formats]
    best = max(known, key=lambda entry: entry[1].count(names))
    return best if best[1].count(names) > len(names) / 2 else None


def _ours(found: Source) -> Checkpoint:
    config, state = unpack(found.weights)
    return Checkpoint(found.name, "pvtseg", config, state, [])


def _published(found: Source, max_depth: float | None) -> Checkpoint:
    names = found.weights.state.keys()
    recognized = recognize(names)
    if recognized is None:
        raise UserError(
            f"the weights are of another model ({_whose(found)}); "
            "pvtseg reads PVT v2, MiT, SegFormer and GLPN as their authors, timm, Hugging Face and OpenMMLab write "
            "them."
        )
    family, format = recognized
    state = format.from_published(found.weights.state)
    architecture = Architecture.of(state, HEADS)
    beside = Settings(found.config, found.processor, found.weights.extras)
    facts = _family(family, format, beside).read(architecture, format.layout, beside)
    config = describe(architecture, facts, max_depth=max_depth)
    return Checkpoint(found.name, format.layout, config, state, format.unmatched(names))


def _family(family: Family, format: Format, beside: Settings) -> Family:
    """The family that transformers' config.json names; SegFormer's and GLPN's encoders
    have the same names.
    """
    if format.layout != "huggingface":
        return family
    named = beside.config.get("model_type", family.name)
    known = {family.name: family for family in FAMILIES if any(form.layout == "huggingface" for form in family.formats)}
    if named not in known:
        raise UserError(f"config.json is of a {named}; expected one of {', '.join(known)}.")
    return known[named]


def _epsilons(convention: str, architecture: Architecture) -> Epsilons:
    """The epsilons of the encoder by a convention, "official" or "huggingface"."""
    if convention not in ("official", "huggingface"):
        raise UserError(f'norm_eps is {convention!r}; use "official", "huggingface", or None for the source\'s own.')
    return _family_of(architecture).eps[convention]


def _family_of(architecture: Architecture) -> Family:
    """The family whose head this is; PVT v2 for an encoder alone."""
    return next((family for family in FAMILIES if family.head is architecture.head), FAMILIES[0])


def _whose(found: Source) -> str:
    kind = found.config.get("model_type", found.config.get("architecture"))
    return f"a {kind}" if kind else f"with {', '.join(list(found.weights.state)[:2])}"
