"""Puts weights into a model, also into one with other channels or classes, and reports
what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from pvtseg.backbones.pvt_v2.variants import variant_of
from pvtseg.checkpoints.architecture import Architecture
from pvtseg.checkpoints.checkpoint import HEADS
from pvtseg.data.target_info import ClassInfo
from pvtseg.errors import UserError

if TYPE_CHECKING:
    from pvtseg.checkpoints.checkpoint import Checkpoint
    from pvtseg.model import Model

Node = dict[str, Any]
State = dict[str, Tensor]

BACKBONE, HEAD = "backbone.", "head."
FIRST_CONVOLUTION = "stages.0.embed.project.weight"
CLASSIFIER = ("classify.weight", "classify.bias")  # one row per class in every head that has classes


@dataclass
class LoadReport:
    """The tensors that a source gave and those that it did not; one readable line when
    printed.

    loaded: names of tensors. missing_keys: tensors of the model that the source lacks;
    they keep their random start. unexpected_keys: tensors of the source that the model
    lacks. notes: what was changed on the way, in words.
    """

    source: str
    loaded: list[str]
    missing_keys: list[str]
    unexpected_keys: list[str]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [
            f"{len(self.loaded)} of {len(self.loaded) + len(self.missing_keys)} tensors from {self.source}",
            *self.notes,
        ]
        if self.missing_keys:
            parts.append(f"random: {_summary(self.missing_keys)}")
        if self.unexpected_keys:
            parts.append(f"not used: {_summary(self.unexpected_keys)}")
        return "; ".join(parts)


class BackboneFit(NamedTuple):
    """A checkpoint's weights that fit a backbone, under the backbone's names. notes: as
    in `LoadReport`.
    """

    state: State
    notes: list[str]


class HeadFit(NamedTuple):
    """A checkpoint's weights that fit a model's heads, under the model's names. used:
    their names in the checkpoint.
    """

    state: State
    used: set[str]
    notes: list[str]


def of_part(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors below a prefix, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def fill(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Loads all weights. Raises UserError if one is missing, has another shape, or has
    no place.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in wanted]
    other = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if missing:
        raise UserError(
            f"{source} lacks {len(missing)} of {len(wanted)} tensors, {missing[0]} among them; use the whole file."
        )
    if unexpected:
        raise UserError(
            f"{source} holds {unexpected[0]}, which the model of its configuration lacks; use the file it was saved as."
        )
    if other:
        name = other[0]
        raise UserError(
            f"{source} holds {name} as {tuple(state[name].shape)}, its configuration says {tuple(wanted[name].shape)}; "
            "take both from one model."
        )
    module.load_state_dict(state, strict=False)


def fit_backbone(backbone: Any, checkpoint: Checkpoint) -> BackboneFit:
    """The checkpoint's encoder for a backbone, whose in_channels may differ.

    Raises UserError if it is another encoder, or holds less than half of this one.
    """
    wanted = backbone.state_dict()
    theirs = of_part(checkpoint.state, BACKBONE)
    state = with_channels_of(wanted, theirs)
    fitting = {name: tensor for name, tensor in state.items() if name in wanted and tensor.shape == wanted[name].shape}
    if len(fitting) < len(state) or len(fitting) < len(wanted) / 2:
        raise UserError(_other_encoder(theirs, wanted, checkpoint.source))
    old, new = (part[FIRST_CONVOLUTION].shape[1] if FIRST_CONVOLUTION in part else None for part in (theirs, wanted))
    return BackboneFit(fitting, [] if old == new else [f"first convolution adapted from {old} to {new} channels"])


def fit_head(model: Model, checkpoint: Checkpoint) -> HeadFit:
    """The checkpoint's heads for the heads of a model: those of the same kind, under
    the same name.

    Of their classes, those that both know by name are kept.
    """
    state: State = {}
    used: set[str] = set()
    notes: list[str] = []
    theirs, ours = (heads_of(config) for config in (checkpoint.config, model.config))
    wanted = model.state_dict()
    for name in ours.keys() & theirs.keys():
        (our_node, our_prefix), (their_node, their_prefix) = ours[name], theirs[name]
        if our_node.get("_target_") != their_node.get("_target_"):
            continue
        found = of_part(checkpoint.state, their_prefix)
        fitting, said = _fit_one(
            of_part(wanted, our_prefix), found, our_node, their_node, model.config, checkpoint.config
        )
        state |= {our_prefix + name: tensor for name, tensor in fitting.items()}
        used |= {their_prefix + name for name in fitting}
        notes += said
    return HeadFit(state, used, notes)


def heads_of(config: Node) -> dict[str, tuple[Node, str]]:
    """The heads of a configuration by name: (node, prefix of its weights). A single
    head has the task's name.
    """
    head = config.get("head")
    if head is None:
        return {}
    if "_target_" in head:
        return {config.get("task", {}).get("name", ""): (head, HEAD)}
    return {name: (node, f"{HEAD}{name}.") for name, node in head.items()}


def without_auxiliary_heads(config: Node, state: State) -> tuple[Node, State]:
    """Configuration and weights without the heads that only training runs: those
    without a postprocess.

    With one postprocess, one head is left, and its loss: that of the task.
    """
    head, postprocess = config.get("head"), config.get("postprocess")
    if head is None or postprocess is None or "_target_" in head:
        return config, state
    if "_target_" not in postprocess:
        kept = {name: node for name, node in head.items() if name in postprocess}
        gone = tuple(f"{HEAD}{name}." for name in head if name not in kept)
        return {**config, "head": kept}, {name: tensor for name, tensor in state.items() if not name.startswith(gone)}
    name = config["task"]["name"]
    single = {key: config[key][name] for key in ("head", "loss") if key in config and "_target_" not in config[key]}
    main = f"{HEAD}{name}."
    return {**config, **single}, {
        HEAD + key.removeprefix(main) if key.startswith(main) else key: tensor
        for key, tensor in state.items()
        if key.startswith(main) or not key.startswith(HEAD)
    }


def with_channels_of(wanted: Mapping[str, Tensor], state: State) -> State:
    """The encoder's weights with the first convolution for the wanted number of channels."""
    if FIRST_CONVOLUTION not in state or FIRST_CONVOLUTION not in wanted:
        return state
    return {**state, FIRST_CONVOLUTION: adapt_in_channels(state[FIRST_CONVOLUTION], wanted[FIRST_CONVOLUTION].shape[1])}


def adapt_in_channels(weight: Tensor, in_channels: int) -> Tensor:
    """The first convolution (C, old, k, k) for images of other channels: (C,
    in_channels, k, k).

    Fewer channels each get the mean of what all kernels sum to. More take the kernels
    in turn, each divided by how often it is taken. Either way, an image whose channels
    are equal gives the same maps as before.
    """
    old = weight.shape[1]
    if in_channels < old:
        return weight.sum(dim=1, keepdim=True).expand(-1, in_channels, -1, -1) / in_channels
    turns = torch.arange(in_channels) % old
    return weight[:, turns] / turns.bincount()[turns][:, None, None]


def adapt_classes(theirs: Tensor, ours: Tensor, their_names: Sequence[str], our_names: Sequence[str]) -> Tensor:
    """A classifier's tensor with a row per class: their row for each class that both
    know, ours for the others.
    """
    adapted = ours.clone()
    for row, name in enumerate(our_names):
        if name in their_names:
            adapted[row] = theirs[their_names.index(name)]
    return adapted


def _fit_one(
    wanted: Mapping[str, Tensor], found: State, our_node: Node, their_node: Node, our_config: Node, their_config: Node
) -> tuple[State, list[str]]:
    """The weights of one head that may be taken over, and what to say about them."""
    head = {
        name: tensor
        for name, tensor in found.items()
        if name in wanted and name not in CLASSIFIER and tensor.shape == wanted[name].shape
    }
    classifier = {name: found[name] for name in CLASSIFIER if name in found and name in wanted}
    if not classifier:
        old, new = their_node.get("max_depth"), our_node.get("max_depth")
        return head, [f"predictions stretched from {old:g} to {new:g} m"] if old != new else []
    if any(tensor.shape[1:] != wanted[name].shape[1:] for name, tensor in classifier.items()):
        return head, []
    rows, notes = _fit_classes(wanted, classifier, _classes(our_config), _classes(their_config))
    return {**head, **rows}, notes


def _fit_classes(
    wanted: Mapping[str, Tensor], classifier: State, ours: ClassInfo, theirs: ClassInfo
) -> tuple[State, list[str]]:
    """The classifier with the rows of the classes that both know by name."""
    comparable = theirs.named == ours.named and (ours.named or theirs.names == ours.names)
    our_names, their_names = list(ours.names or ()), list(theirs.names or ())
    kept = [name for name in our_names if comparable and name in their_names]
    if not kept:
        return {}, [f"none of the {theirs.num_classes} classes kept, because they have no names in common"]
    rows = {name: adapt_classes(tensor, wanted[name], their_names, our_names) for name, tensor in classifier.items()}
    made = [name for name in our_names if name not in their_names]
    return rows, [f"classes kept: {', '.join(kept)}"] + ([f"classes new: {', '.join(made)}"] if made else [])


def _classes(config: Node) -> ClassInfo:
    return ClassInfo(**{key: value for key, value in config["data"]["labels"].items() if key != "_target_"})


def _other_encoder(theirs: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> str:
    """The message about another encoder, with both names if they have names."""
    seen, needed = (
        _variant_of({BACKBONE + name: tensor for name, tensor in part.items()}) for part in (theirs, wanted)
    )
    if seen is None or needed is None or seen == needed:
        name = next((name for name in theirs if name not in wanted or theirs[name].shape != wanted[name].shape), None)
        what = f"{name} does not fit" if name else f"{len(theirs)} of {len(wanted)} tensors are there"
        return f"{source} mostly does not fit this encoder: {what}; give weights of the same encoder."
    choice = seen.removeprefix("pvt_v2_")
    hint = " (MiT has MLP ratios 4, 4, 4, 4, PVT v2 8, 8, 4, 4)" if ("mit" in seen) != ("mit" in needed) else ""
    return f"{source} is {seen}, the model's encoder is {needed}{hint}; use backbone={choice}, or weights of {needed}."


def _variant_of(state: Mapping[str, Tensor]) -> str | None:
    try:
        architecture = Architecture.of(state, HEADS)
    except UserError:
        return None
    return variant_of(architecture.channels, architecture.depths, architecture.mlp_ratios, linear=architecture.linear)


def _summary(names: Sequence[str]) -> str:
    """The modules that names belong to, shortened to two parts, each once."""
    modules = dict.fromkeys(".".join(name.split(".")[:2]) for name in names)
    shown = list(modules)[:4]
    return ", ".join(shown) + (f" and {len(modules) - 4} more" if len(modules) > 4 else "")
