"""Writes a model in our layout, Hugging Face's, timm's, or the authors'."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pvtseg.checkpoints import images, settings
from pvtseg.checkpoints.anatomy import Anatomy
from pvtseg.checkpoints.convert import glpn, huggingface, official, segformer, timm
from pvtseg.checkpoints.files import write_model, write_tensors
from pvtseg.checkpoints.io import State
from pvtseg.errors import UserError

Node = dict[str, Any]

OFFICIAL = {
    None: official.CLASSIFIER,
    "classification": official.CLASSIFIER,
    "segmentation": segformer.OFFICIAL,
    "depth": glpn.OFFICIAL,
}
HUGGINGFACE = {
    ("pvt_v2", None): huggingface.ENCODER,
    ("pvt_v2", "classification"): huggingface.CLASSIFIER,
    ("segformer", None): segformer.ENCODER,
    ("segformer", "classification"): segformer.CLASSIFIER,
    ("segformer", "segmentation"): segformer.SEGMENTER,
    ("glpn", "depth"): glpn.DEPTH_ESTIMATOR,
}


def write_checkpoint(config: Node, state: State, folder: Path, layout: str) -> None:
    """Writes a model into a folder, from which `read_checkpoint` reads it again.

    pvtseg: model.safetensors, with the configuration inside, and a readable config.json. huggingface: what transformers'
    `from_pretrained` opens. timm: what `timm.create_model` opens, as checkpoint_path or "local-dir:FOLDER". official:
    model.pth. Raises UserError where a format cannot hold the model.
    """
    if layout not in WRITERS:
        raise UserError(f"there is no layout {layout!r}; use one of {', '.join(WRITERS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[layout](config, {name: tensor.detach().cpu() for name, tensor in state.items()}, folder)


def _write_ours(config: Node, state: State, folder: Path) -> None:
    write_model(folder / "model.safetensors", state, config)
    _write_json(folder / "config.json", config)


def _write_huggingface(config: Node, state: State, folder: Path) -> None:
    anatomy = Anatomy.of(state)
    norm_eps = config["backbone"]["norm_eps"]
    family = settings.model_type(anatomy, norm_eps)
    described = settings.to_config(family, anatomy, config["data"], norm_eps=norm_eps)
    renamed = HUGGINGFACE[family, anatomy.task].to_theirs(state)
    write_tensors(folder / "model.safetensors", renamed, {})
    _write_json(folder / "config.json", described)
    _write_json(folder / "preprocessor_config.json", images.to_processor(family, config["data"]))


def _write_timm(config: Node, state: State, folder: Path) -> None:
    anatomy = Anatomy.of(state)
    if anatomy.task not in ("classification", None):
        raise UserError(f"timm has no {anatomy.task} models; save with layout=pvtseg, huggingface or official.")
    described = {
        "architecture": _timm_name(config["backbone"]),
        "num_classes": anatomy.num_classes or 0,
        "num_features": anatomy.channels[-1],
        "pretrained_cfg": {**images.to_timm(config["data"]), "num_classes": anatomy.num_classes or 0},
    }
    if anatomy.in_channels != 3:
        described["model_args"] = {"in_chans": anatomy.in_channels}
    names = config["data"].get("labels", {}).get("names")
    if names:
        described["label_names"] = list(names)
    write_tensors(folder / "model.safetensors", timm.CLASSIFIER.to_theirs(state), {})
    _write_json(folder / "config.json", described)


def _write_official(config: Node, state: State, folder: Path) -> None:
    anatomy = Anatomy.of(state)
    content: Node = OFFICIAL[anatomy.task].to_theirs(state)
    if anatomy.task == "segmentation":  # mmsegmentation's wrapping, which carries the classes
        labels = config["data"]["labels"]
        content = {"state_dict": content, "meta": {"CLASSES": labels.get("names"), "PALETTE": labels.get("palette")}}
    partial = folder / "model.partial"
    torch.save(content, partial)
    partial.replace(folder / "model.pth")


def _timm_name(backbone: Node) -> str:
    """What timm calls this backbone; it knows the published sizes."""
    name = backbone["_target_"].rpartition(".")[2]
    name = f"{name}_li" if backbone.get("linear") else name.replace("_linear", "_li").replace("mit_b5", "pvt_v2_b5")
    if not name.startswith("pvt_v2_b"):
        raise UserError(
            f"timm has PVT v2 in its published sizes, and not {name}; save with layout=pvtseg, huggingface or official."
        )
    return name


def _write_json(path: Path, content: Node) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


WRITERS: dict[str, Callable[[Node, State, Path], None]] = {
    "pvtseg": _write_ours,
    "huggingface": _write_huggingface,
    "timm": _write_timm,
    "official": _write_official,
}
