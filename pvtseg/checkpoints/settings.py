"""transformers' config.json, read and written
(https://huggingface.co/docs/transformers/main_classes/configuration).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pvtseg.backbones.pvt_v2.activations import ACTIVATIONS
from pvtseg.checkpoints import processors
from pvtseg.checkpoints.architecture import Architecture
from pvtseg.checkpoints.families.family import NYU_DEPTH, Epsilons, Facts, Settings
from pvtseg.checkpoints.names import Format
from pvtseg.errors import UserError

Node = dict[str, Any]

FIXED: Node = {
    "num_encoder_blocks": 4,
    "patch_sizes": [7, 3, 3, 3],
    "strides": [4, 2, 2, 2],
    "reshape_last_stage": True,
}
NUM_HEADS = [1, 2, 5, 8]
NUMBERED = re.compile(r"LABEL_\d+")  # what transformers calls a class that has no name


@dataclass(frozen=True)
class Transformers:
    """A model_type of transformers.

    eps: of its norms; eps_key: the setting that says otherwise, if there is one.
    processor: what its image processor does if preprocessor_config.json is silent.
    fixed: further settings that have one value in every published model.
    """

    model_type: str
    eps: Epsilons
    processor: Node
    eps_key: str | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)


def read(model: Transformers, architecture: Architecture, beside: Settings) -> Facts:
    """The facts in config.json and preprocessor_config.json.

    Raises UserError if they and the weights disagree, or for a setting that pvtseg
    lacks.
    """
    config = beside.config
    _check(model, config, architecture)
    eps = (config.get(model.eps_key, model.eps[0]),) * 2 if model.eps_key else model.eps
    return Facts(
        eps,
        processors.read(model.processor, beside.processor, architecture.in_channels),
        names=_class_names(config, architecture.num_classes),
        ignore_index=config.get("semantic_loss_ignore_index", 255),
        max_depth=config.get("max_depth", NYU_DEPTH),
        backbone=_backbone(config, architecture),
    )


def write(model: Transformers, formats: Iterable[Format], architecture: Architecture, config: Node) -> Settings:
    """config.json and preprocessor_config.json of a model of ours. Raises UserError if
    they cannot describe it.
    """
    format = next(format for format in formats if format.layout == "huggingface" and architecture.head in format.heads)
    backbone, data = config["backbone"], config["data"]
    written: Node = {
        "architectures": [format.architecture],
        "model_type": model.model_type,
        "num_channels": architecture.in_channels,
        "depths": list(architecture.depths),
        "hidden_sizes": list(architecture.channels),
        "mlp_ratios": list(architecture.mlp_ratios),
        # with linear attention they are ignored
        "sr_ratios": [8, 4, 2, 1] if architecture.linear else list(architecture.reductions),
        "num_attention_heads": list(backbone.get("num_heads", NUM_HEADS)),
        "hidden_act": backbone.get("activation", "gelu"),
        "drop_path_rate": 0.0,
        **{key: value for key, value in FIXED.items() if key != "reshape_last_stage"},
    }
    if model.eps_key:
        written |= {model.eps_key: backbone.get("norm_eps", model.eps[1]), "linear_attention": architecture.linear}
        written["qkv_bias"] = architecture.qkv_bias
    elif not architecture.qkv_bias:
        raise UserError(
            f"Hugging Face's {model.model_type} has no qkv_bias=False; save with layout=pvtseg or layout=official."
        )
    if "channels" in architecture.head_options:
        written["decoder_hidden_size"] = architecture.head_options["channels"]
    if architecture.num_classes is not None:
        names = data["labels"].get("names") or [f"LABEL_{index}" for index in range(architecture.num_classes)]
        written["id2label"] = {str(index): name for index, name in enumerate(names)}
        written["label2id"] = {name: index for index, name in enumerate(names)}
    if architecture.task == "segmentation":
        written["semantic_loss_ignore_index"] = data["labels"].get("ignore_index", 255)
    if architecture.task == "depth":
        written["max_depth"] = _whole_meters(model, data["depth"]["max"])
    return Settings(written, processors.write(model.processor, data), {})


def _check(model: Transformers, config: Node, architecture: Architecture) -> None:
    """Raises UserError if config.json describes another model than the weights, or one
    that pvtseg cannot build.
    """
    for key, value in {**FIXED, **model.fixed}.items():
        if _plain(config.get(key, value)) != value:
            raise UserError(
                f"config.json says {key} {config[key]}; pvtseg builds {value} only, which all published models have."
            )
    facts = {
        "hidden_sizes": list(architecture.channels),
        "depths": list(architecture.depths),
        "mlp_ratios": list(architecture.mlp_ratios),
        "num_channels": architecture.in_channels,
        "decoder_hidden_size": architecture.head_options.get("channels"),
        "sr_ratios": None if architecture.linear else list(architecture.reductions),
        "qkv_bias": architecture.qkv_bias,
    }
    for key, value in facts.items():
        if value is not None and _plain(config.get(key, value)) != value:
            raise UserError(f"config.json says {key} {config[key]}, the weights say {value}; take both from one model.")


def _backbone(config: Node, architecture: Architecture) -> Node:
    """Options of the backbone that the weights do not show, if they are not those of
    every published model.
    """
    options: Node = {}
    heads = _plain(config.get("num_attention_heads", NUM_HEADS))
    if heads != NUM_HEADS:
        fits = isinstance(heads, list) and len(heads) == len(architecture.channels)
        if not fits or any(width % number for width, number in zip(architecture.channels, heads, strict=True)):
            raise UserError(
                f"config.json says num_attention_heads {heads}; expected {len(architecture.channels)} numbers "
                f"that divide hidden_sizes {list(architecture.channels)}."
            )
        options["num_heads"] = heads
    activation = config.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise UserError(f"config.json says hidden_act {activation!r}; pvtseg builds {', '.join(ACTIVATIONS)}.")
    if activation != "gelu":
        options["activation"] = activation
    return options


def _class_names(config: Node, num_classes: int | None) -> list[str] | None:
    """The names in id2label, made different if two classes share one; None if there are
    none.

    Raises UserError if config.json has another number of classes than the weights.
    """
    if num_classes is None:
        return None
    named = config.get("id2label") or {}
    claimed = len(named) or config.get("num_labels", num_classes)
    if claimed != num_classes:
        raise UserError(
            f"config.json names {claimed} classes, the weights have {num_classes}; take both from one model."
        )
    names = [str(named[key]) for key in sorted(named, key=int)]
    if all(map(NUMBERED.fullmatch, names)):
        return None
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} ({index})" for index, name in enumerate(names)]


def _whole_meters(model: Transformers, depth: float) -> int:
    if depth != int(depth):
        raise UserError(
            f"the largest depth is {depth} m, and Hugging Face's {model.model_type} counts whole meters; "
            "save with layout=pvtseg."
        )
    return int(depth)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
