"""Writes the configuration of a model that came without one, from its architecture and
the facts of its family.
"""

from __future__ import annotations

from typing import Any

from pvtseg.backbones.pvt_v2.variants import variant_of
from pvtseg.checkpoints.architecture import Architecture
from pvtseg.checkpoints.families.family import Facts
from pvtseg.data.target_info import ClassInfo

Node = dict[str, Any]

VARIANTS = "pvtseg.backbones.pvt_v2.variants"
PYRAMID = "pvtseg.backbones.pvt_v2.pyramid.PyramidVisionTransformer"
REDUCTIONS = (8, 4, 2, 1)
SMALLEST_DEPTH = 1e-3  # meters, in NYU's and KITTI's evaluation


def describe(architecture: Architecture, facts: Facts, *, max_depth: float | None = None) -> Node:
    """The nodes that a run of ours would have stored; without a head, only `backbone`
    and `data`.

    max_depth: in meters, in place of that of the facts.
    """
    config: Node = {"backbone": _backbone(architecture, facts), "data": dict(facts.image)}
    if architecture.head is None:
        return config
    config["head"] = {"_target_": architecture.head.target, **architecture.head_options}
    return _complete(config, architecture, facts, max_depth)


def _complete(config: Node, architecture: Architecture, facts: Facts, max_depth: float | None) -> Node:
    """The additions of the task to backbone, head and image."""
    task = str(architecture.task)
    if architecture.num_classes is not None:
        config["data"]["labels"] = {
            "_target_": "pvtseg.data.target_info.ClassInfo",
            "names": facts.names,
            "num_classes": architecture.num_classes,
            "ignore_index": facts.ignore_index,
            "palette": facts.palette,
        }
    if task == "depth":
        config["head"]["max_depth"] = float(max_depth or facts.max_depth)
        config["data"]["depth"] = {
            "_target_": "pvtseg.data.target_info.DepthRange",
            "min": SMALLEST_DEPTH,
            "max": config["head"]["max_depth"],
        }
    nodes = {"segmentation": _segmentation, "depth": _depth, "classification": _classification}[task](config, facts)
    return {"task": {"name": task}, **config, **nodes, "inference": {"_target_": "pvtseg.inference.whole.Whole"}}


def _segmentation(config: Node, facts: Facts) -> Node:
    classes = _classes(config, facts)
    return {
        "postprocess": {"_target_": "pvtseg.tasks.segmentation.SegmentationPostProcess"},
        "visualizer": {
            "_target_": "pvtseg.tasks.segmentation.SegmentationVisualizer",
            "names": classes["names"],
            "palette": classes["palette"],
        },
    }


def _depth(config: Node, facts: Facts) -> Node:
    depth = config["data"]["depth"]
    return {
        "postprocess": {"_target_": "pvtseg.tasks.depth.DepthPostProcess", "interpolation": facts.interpolation},
        "visualizer": {
            "_target_": "pvtseg.tasks.depth.DepthVisualizer",
            "min_depth": depth["min"],
            "max_depth": depth["max"],
        },
    }


def _classification(config: Node, facts: Facts) -> Node:
    return {
        "postprocess": {"_target_": "pvtseg.tasks.classification.ClassificationPostProcess"},
        "visualizer": {
            "_target_": "pvtseg.tasks.classification.ClassificationVisualizer",
            "names": _classes(config, facts)["names"],
        },
    }


def _classes(config: Node, facts: Facts) -> Node:
    """Names and colors to draw with, made up if the checkpoint has none."""
    num_classes = config["data"]["labels"]["num_classes"]
    return ClassInfo(facts.names, num_classes, ignore_index=-1, palette=facts.palette).as_dict()


def _backbone(architecture: Architecture, facts: Facts) -> Node:
    """The node of the encoder, by its published name if it has one."""
    sizes: Node = {
        "channels": list(architecture.channels),
        "depths": list(architecture.depths),
        "mlp_ratios": list(architecture.mlp_ratios),
    }
    options: Node = {
        "in_channels": architecture.in_channels,
        "drop_path_rate": 0.0,
        "embed_eps": facts.eps[0],
        "norm_eps": facts.eps[1],
        **facts.backbone,
    }
    if not architecture.linear and architecture.reductions != REDUCTIONS:
        options["reductions"] = list(architecture.reductions)
    if not architecture.qkv_bias:
        options["qkv_bias"] = False
    name = variant_of(**sizes, linear=architecture.linear)
    if name is not None:
        return {"_target_": f"{VARIANTS}.{name}", **options}
    return {"_target_": PYRAMID, **sizes, "linear": architecture.linear, **options}
