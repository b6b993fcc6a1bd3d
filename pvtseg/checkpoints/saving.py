"""Writes a model in our layout, or in a published one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pvtseg.checkpoints.architecture import Architecture
from pvtseg.checkpoints.checkpoint import HEADS
from pvtseg.checkpoints.families import FAMILIES
from pvtseg.checkpoints.families.family import OFFICIAL_EPS, Epsilons, Family
from pvtseg.checkpoints.files import pack, write_model, write_tensors
from pvtseg.checkpoints.io import State
from pvtseg.checkpoints.names import Format
from pvtseg.errors import UserError
from pvtseg.files import replacing, write_json

Node = dict[str, Any]

LAYOUTS = ("pvtseg", "huggingface", "timm", "official", "openmmlab")
OWNERS = {"huggingface": "Hugging Face", "timm": "timm", "official": "the authors' code", "openmmlab": "OpenMMLab"}
PYRAMIDS = "pvtseg.backbones.pvt_v2."


def write_checkpoint(config: Node, state: State, folder: Path, layout: str) -> None:
    """Writes a model into a folder, from which `read_checkpoint` reads it again.

    pvtseg: model.safetensors, with the configuration inside, and a readable
    config.json.
    huggingface: for transformers' `from_pretrained`. timm: for `timm.create_model`, as
    checkpoint_path or "local-dir:FOLDER". official and openmmlab: model.pth. Raises
    UserError if a layout cannot hold the model.
    """
    if layout not in LAYOUTS:
        raise UserError(f"there is no layout {layout!r}; use one of {', '.join(LAYOUTS)}.")
    state = {name: tensor.detach().cpu() for name, tensor in state.items()}
    if layout == "pvtseg":
        folder.mkdir(parents=True, exist_ok=True)
        WRITERS[layout](config, state, folder)
        return
    if not str(config["backbone"].get("_target_", "")).startswith(PYRAMIDS):
        raise UserError(
            f"{OWNERS[layout]} has no {config['backbone'].get('_target_')}; "
            "save with layout=pvtseg, which holds every model."
        )
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[layout](config, state, folder)


def _write_ours(config: Node, state: State, folder: Path) -> None:
    write_model(folder / "model.safetensors", state, config)
    write_json(folder / "config.json", pack(config))


def _write_published(config: Node, state: State, folder: Path, *, layout: str) -> None:
    """Weights, and the settings beside them, as the family writes them."""
    architecture = Architecture.of(state, HEADS)
    family, format = _format_for(layout, architecture, config["backbone"])
    beside = family.write(architecture, layout, config)
    renamed = format.to_published(state)
    if layout in ("official", "openmmlab"):
        _write_torch(folder / "model.pth", {"state_dict": renamed, **beside.extras} if beside.extras else renamed)
        return
    write_tensors(folder / "model.safetensors", renamed, {})
    write_json(folder / "config.json", beside.config)
    if beside.processor:
        write_json(folder / "preprocessor_config.json", beside.processor)


def _format_for(layout: str, architecture: Architecture, backbone: Node) -> tuple[Family, Format]:
    """The family and format that hold this model. Of several, the one with the model's
    epsilons, which keeps its numbers.

    Raises UserError if there is none.
    """
    known = [(family, format) for family in FAMILIES for format in family.formats if format.layout == layout]
    holding = [(family, format) for family, format in known if architecture.head in format.heads]
    if not holding:
        kind = "SegFormer head of this kind" if architecture.task == "segmentation" and layout != "timm" else None
        what = kind or f"{architecture.task} models"
        others = ", ".join(other for other in LAYOUTS if other == "pvtseg" or _holds(other, architecture))
        raise UserError(f"{OWNERS[layout]} has no {what}; save with layout={others}.")
    fitting = [(family, format) for family, format in holding if format.linear or not architecture.linear]
    if not fitting:
        family = holding[0][0]
        raise UserError(
            f"{OWNERS[layout]}'s {family.name} has no linear attention; save with layout=pvtseg or layout=official."
        )
    eps: Epsilons = (backbone.get("embed_eps", OFFICIAL_EPS[0]), backbone.get("norm_eps", OFFICIAL_EPS[1]))
    return next((entry for entry in fitting if entry[0].eps.get(layout) == eps), fitting[0])


def _holds(layout: str, architecture: Architecture) -> bool:
    formats = [format for family in FAMILIES for format in family.formats if format.layout == layout]
    return any(architecture.head in format.heads and (format.linear or not architecture.linear) for format in formats)


def _write_torch(path: Path, content: Node) -> None:
    with replacing(path) as partial_file:
        torch.save(content, partial_file)


WRITERS: dict[str, Callable[[Node, State, Path], None]] = {
    "pvtseg": _write_ours,
    **{layout: partial(_write_published, layout=layout) for layout in LAYOUTS if layout != "pvtseg"},
}
