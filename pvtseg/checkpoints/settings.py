"""transformers' config.json, read and written (https://huggingface.co/docs/transformers/main_classes/configuration)."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from pvtseg.checkpoints.anatomy import Anatomy
from pvtseg.errors import UserError

Node = dict[str, Any]

ARCHITECTURES = {
    ("pvt_v2", None): "PvtV2Model",
    ("pvt_v2", "classification"): "PvtV2ForImageClassification",
    ("segformer", None): "SegformerModel",
    ("segformer", "classification"): "SegformerForImageClassification",
    ("segformer", "segmentation"): "SegformerForSemanticSegmentation",
    ("glpn", "depth"): "GLPNForDepthEstimation",
}

# What cannot be seen in the weights, and is the same in every published model.
FIXED: Node = {
    "num_encoder_blocks": 4,
    "patch_sizes": [7, 3, 3, 3],
    "strides": [4, 2, 2, 2],
    "sr_ratios": [8, 4, 2, 1],
    "num_attention_heads": [1, 2, 5, 8],
    "hidden_act": "gelu",
}
NUMBERED = re.compile(r"LABEL_\d+")  # what transformers calls a class that has no name


def check(config: Node, anatomy: Anatomy) -> None:
    """Raises UserError where config.json describes another model than the weights, or one that pvtseg cannot build."""
    for key, value in FIXED.items():
        if _plain(config.get(key, value)) != value and not (key == "sr_ratios" and anatomy.linear):
            raise UserError(f"config.json says {key} {config[key]}; pvtseg builds {value} only, which all published models have.")
    facts = {
        "hidden_sizes": list(anatomy.channels),
        "depths": list(anatomy.depths),
        "mlp_ratios": list(anatomy.mlp_ratios),
        "num_channels": anatomy.in_channels,
        "decoder_hidden_size": anatomy.head_channels,
    }
    for key, value in facts.items():
        if value is not None and _plain(config.get(key, value)) != value:
            raise UserError(f"config.json says {key} {config[key]}, the weights say {value}; take both from one model.")


def class_names(config: Node, num_classes: int | None) -> list[str] | None:
    """The names in id2label, made different where two classes share one; None where there are none.

    Raises UserError when config.json has another number of classes than the weights.
    """
    if num_classes is None:
        return None
    named = config.get("id2label") or {}
    claimed = len(named) or config.get("num_labels", num_classes)
    if claimed != num_classes:
        raise UserError(f"config.json names {claimed} classes, the weights have {num_classes}; take both from one model.")
    names = [str(named[key]) for key in sorted(named, key=int)]
    if all(map(NUMBERED.fullmatch, names)):
        return None
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} ({index})" for index, name in enumerate(names)]


def model_type(anatomy: Anatomy, norm_eps: float) -> str:
    """The type that holds this model. An encoder with SegFormer's epsilon stays with SegFormer, and keeps its numbers.

    Raises UserError for linear attention with a head that its type lacks.
    """
    if anatomy.task in ("classification", None):
        return "segformer" if norm_eps == 1e-5 and not anatomy.linear else "pvt_v2"
    kind = "segformer" if anatomy.task == "segmentation" else "glpn"
    if anatomy.linear:
        raise UserError(f"Hugging Face's {kind} has no linear attention; save with layout=pvtseg or layout=official.")
    return kind


def to_config(kind: str, anatomy: Anatomy, data: Node, *, norm_eps: float) -> Node:
    """config.json of a model of this type. Raises UserError where it has no words for it."""
    config: Node = {
        "architectures": [ARCHITECTURES[kind, anatomy.task]],
        "model_type": kind,
        "num_channels": anatomy.in_channels,
        "depths": list(anatomy.depths),
        "hidden_sizes": list(anatomy.channels),
        "mlp_ratios": list(anatomy.mlp_ratios),
        "drop_path_rate": 0.0,
        **FIXED,
    }
    if kind == "pvt_v2":
        config |= {"layer_norm_eps": norm_eps, "linear_attention": anatomy.linear, "qkv_bias": True}
    if anatomy.head_channels is not None:
        config["decoder_hidden_size"] = anatomy.head_channels
    if anatomy.num_classes is not None:
        names = data["labels"].get("names") or [f"LABEL_{index}" for index in range(anatomy.num_classes)]
        config["id2label"] = {str(index): name for index, name in enumerate(names)}
        config["label2id"] = {name: index for index, name in enumerate(names)}
    if anatomy.task == "segmentation":
        config["semantic_loss_ignore_index"] = data["labels"].get("ignore_index", 255)
    if anatomy.task == "depth":
        if data["depth"]["max"] != int(data["depth"]["max"]):
            raise UserError(
                f"the deepest depth is {data['depth']['max']} m, and Hugging Face's glpn counts whole meters; "
                "save with layout=pvtseg."
            )
        config["max_depth"] = int(data["depth"]["max"])
    return config


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
