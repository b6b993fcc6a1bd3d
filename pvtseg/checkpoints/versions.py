"""The versions of the stored configuration, and the steps that bring an older one to
today's.

0: before versions were counted, up to pvtseg 0.1. 1: parts have the address of the file
that defines them; `task` is a name; `postprocess` and `visualizer` are parts; `monitor`
has a mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from pvtseg.errors import UserError

VERSION = 1

Config = dict[str, Any]
State = dict[str, Tensor]

_VARIANTS = [f"{family}_b{size}" for family in ("pvt_v2", "mit") for size in range(6)] + ["pvt_v2_b2_linear"]

MOVED: Mapping[str, str] = {  # addresses of parts, before version 1 and since
    **{f"pvtseg.backbones.pvt_v2.{name}": f"pvtseg.backbones.pvt_v2.variants.{name}" for name in _VARIANTS},
    "pvtseg.backbones.pvt_v2.PyramidVisionTransformer": "pvtseg.backbones.pvt_v2.pyramid.PyramidVisionTransformer",
    "pvtseg.data.folder.ClassFolder": "pvtseg.data.folder.classification.ClassFolder",
    "pvtseg.data.folder.DepthFolder": "pvtseg.data.folder.depth.DepthFolder",
    "pvtseg.data.folder.SegmentationFolder": "pvtseg.data.folder.segmentation.SegmentationFolder",
    "pvtseg.data.labels.DepthRange": "pvtseg.data.target_info.DepthRange",
    "pvtseg.data.labels.Labels": "pvtseg.data.target_info.ClassInfo",
    "pvtseg.data.module.Normalize": "pvtseg.data.normalize.Normalize",
    "pvtseg.data.nyu_depth.LabelledNyuDepth": "pvtseg.data.nyu_depth.LabeledNyuDepth",
    "pvtseg.data.scenes.Scenes": "pvtseg.data.scenes.dataset.Scenes",
    "pvtseg.drawing.ClassPainter": "pvtseg.tasks.classification.ClassificationVisualizer",
    "pvtseg.drawing.DepthPainter": "pvtseg.tasks.depth.DepthVisualizer",
    "pvtseg.drawing.LabelPainter": "pvtseg.tasks.segmentation.SegmentationVisualizer",
    "pvtseg.losses.dice.Dice": "pvtseg.losses.dice.DiceLoss",
    "pvtseg.losses.focal.Focal": "pvtseg.losses.focal.FocalLoss",
    "pvtseg.losses.lovasz.Lovasz": "pvtseg.losses.lovasz.LovaszLoss",
    "pvtseg.losses.ohem.HardCrossEntropy": "pvtseg.losses.ohem.OHEMCrossEntropy",
    "pvtseg.losses.silog.SiLog": "pvtseg.losses.silog.SiLogLoss",
    "pvtseg.optim.schedules.two_ramps": "pvtseg.optim.schedules.one_cycle_poly",
}
RENAMED: Mapping[str, Mapping[str, str]] = {  # options, by the package of the part
    "pvtseg.data.transforms.": {
        "color_rate": "color_prob",
        "cut_depth_rate": "cut_depth_prob",
        "erase_rate": "erase_prob",
        "flip_rate": "flip_prob",
    },
    "pvtseg.optim.schedules.one_cycle_poly": {"floor_ratio": "start_ratio", "rise_steps": "warmup_steps"},
}
VALUES: Mapping[tuple[str, str], Mapping[str, str]] = {  # of options, by the part and the option
    ("pvtseg.inference.sliding_window.SlidingWindow", "blend"): {"even": "uniform"},
    ("pvtseg.losses.cross_entropy.CrossEntropy", "average"): {"valid": "weights"},
    ("pvtseg.losses.ohem.OHEMCrossEntropy", "average"): {"valid": "weights"},
    ("pvtseg.optim.groups.adamw", "decay"): {"matrices": "no_norm_and_bias"},
}
POSTPROCESS = {
    "segmentation": "pvtseg.tasks.segmentation.SegmentationPostProcess",
    "depth": "pvtseg.tasks.depth.DepthPostProcess",
    "classification": "pvtseg.tasks.classification.ClassificationPostProcess",
}
GROWING = ("mIoU", "mAcc", "aAcc", "IoU/", "delta", "top", "aligned/delta")  # metrics of which more is better


def upgrade(version: int, config: Config, state: State) -> tuple[Config, State]:
    """Configuration and weights of any known version as today's. Raises UserError for a
    newer version.
    """
    if version > VERSION:
        raise UserError(f"its format has version {version}, this pvtseg knows {VERSION}; install a newer pvtseg.")
    if version < 0:
        raise UserError(f"its format has version {version}; expected 0 to {VERSION}: save the model again.")
    try:
        for step in STEPS[version:]:
            config, state = step(config, state)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"its configuration is not one that pvtseg has stored ({error!r}); save the model again."
        ) from error
    return config, state


def _from_0(config: Config, state: State) -> tuple[Config, State]:
    """Version 1 of the configuration. An auxiliary head, which only training ran, is
    left out.
    """
    config = _moved(config)
    name = str((config.get("task") or {}).get("_target_", "")).rpartition(".")[2].lower()
    head = config.get("head")
    gone = {"task", "model", "painter", "predictor", "monitor", "auxiliary", "auxiliary_loss"}
    new = {key: value for key, value in config.items() if key not in gone}
    if head is None:
        return new, state
    if name not in POSTPROCESS:
        raise UserError(f"it was trained for the task {name!r}, which cannot be brought to version 1; train it again.")
    new["task"] = {"name": name}
    new["postprocess"] = {"_target_": POSTPROCESS[name], **(config.get("predictor") or {})}
    new["visualizer"] = config.get("painter") or _visualizer(name, config["data"])
    if isinstance(config.get("monitor"), str):
        growing = config["monitor"].startswith(GROWING)
        new["monitor"] = {"metric": config["monitor"], "mode": "max" if growing else "min"}
    if name == "classification" and "loss" in config:
        new["loss"] = _classification_loss(config["loss"])
    return new, {key: tensor for key, tensor in state.items() if not key.startswith("auxiliary.")}


def _moved(value: Any) -> Any:
    """The configuration with today's addresses, options and values."""
    if isinstance(value, list | tuple):
        return [_moved(each) for each in value]
    if not isinstance(value, dict):
        return value
    target = value.get("_target_")
    if not isinstance(target, str):
        return {key: _moved(each) for key, each in value.items()}
    target = MOVED.get(target, target)
    options = next((options for part, options in RENAMED.items() if target.startswith(part)), {})
    moved = {}
    for key, each in value.items():
        key = options.get(key, key)
        moved[key] = VALUES[target, key].get(each, each) if (target, key) in VALUES else _moved(each)
    return {**moved, "_target_": target}


def _classification_loss(loss: Any) -> Any:
    """The loss for images is a class of its own, and ignores no label."""
    if not isinstance(loss, dict) or loss.get("_target_") != "pvtseg.losses.cross_entropy.CrossEntropy":
        return loss
    options = {key: value for key, value in loss.items() if key in ("label_smoothing", "class_weights")}
    return {"_target_": "pvtseg.losses.classification.ClassificationCrossEntropy", **options}


def _visualizer(name: str, data: Config) -> Config:
    """The visualizer of a checkpoint that came from a published one, which had stored none."""
    from pvtseg.data.target_info import ClassInfo

    if name == "depth":
        target, facts = "pvtseg.tasks.depth.DepthVisualizer", data["depth"]
        return {"_target_": target, "min_depth": facts["min"], "max_depth": facts["max"]}
    labels = {key: value for key, value in data["labels"].items() if key != "_target_"}
    classes = ClassInfo(**{**labels, "ignore_index": -1}).as_dict()
    if name == "classification":
        return {"_target_": "pvtseg.tasks.classification.ClassificationVisualizer", "names": classes["names"]}
    return {
        "_target_": "pvtseg.tasks.segmentation.SegmentationVisualizer",
        "names": classes["names"],
        "palette": classes["palette"],
    }


STEPS: tuple[Callable[[Config, State], tuple[Config, State]], ...] = (_from_0,)
