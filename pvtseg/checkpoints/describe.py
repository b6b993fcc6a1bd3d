"""Writes the configuration of a model that came without one, from its weights and from what its format means."""

from __future__ import annotations

from typing import Any, NamedTuple

from pvtseg.checkpoints import images, settings
from pvtseg.checkpoints.anatomy import Anatomy
from pvtseg.checkpoints.convert.names import Format
from pvtseg.errors import UserError

Node = dict[str, Any]
Epsilons = tuple[float, float]  # embed_eps, norm_eps

# Hugging Face's ports give all norms the same epsilon, the authors' code and timm do not.
OFFICIAL_EPS: Epsilons = (1e-5, 1e-6)
HUGGINGFACE_EPS: dict[str, Epsilons] = {"pvt_v2": (1e-6, 1e-6), "segformer": (1e-5, 1e-5), "glpn": (1e-5, 1e-5)}
FAMILY = {None: "pvt_v2", "classification": "pvt_v2", "segmentation": "segformer", "depth": "glpn"}

NODES: dict[str, Node] = {
    "segmentation": {
        "task": {"_target_": "pvtseg.tasks.Segmentation"},
        "model": {"_target_": "pvtseg.model.DenseModel"},
        "head": {"_target_": "pvtseg.heads.segformer.SegFormerHead", "dropout": 0.1},
    },
    "depth": {
        "task": {"_target_": "pvtseg.tasks.Depth"},
        "model": {"_target_": "pvtseg.model.DenseModel"},
        "head": {"_target_": "pvtseg.heads.glpn.GLPNHead"},
    },
    "classification": {
        "task": {"_target_": "pvtseg.tasks.Classification"},
        "model": {"_target_": "pvtseg.model.ImageModel"},
        "head": {"_target_": "pvtseg.heads.linear.LinearHead"},
    },
}
INFERENCE = {"_target_": "pvtseg.inference.whole.Whole"}
SMALLEST_DEPTH = 1e-3  # meters, in NYU's and KITTI's evaluation
NYU_DEPTH = 10.0  # meters, what an official file is taken for, which does not say


class Facts(NamedTuple):
    """What is known beside the weights. image: the nodes eval_transform and normalize. predictor: options of ours."""

    eps: Epsilons
    image: Node
    names: list[str] | None = None
    palette: list[list[int]] | None = None
    ignore_index: int = 255
    max_depth: float = NYU_DEPTH
    predictor: Node | None = None


def official(anatomy: Anatomy, extras: Node) -> Facts:
    """The authors' code. mmsegmentation, which SegFormer's is made with, stores the classes under `meta`."""
    meta = extras.get("meta")
    meta = meta if isinstance(meta, dict) and len(meta.get("CLASSES") or ()) == anatomy.num_classes else {}
    names, palette = (None if meta.get(key) is None else list(meta[key]) for key in ("CLASSES", "PALETTE"))
    return Facts(OFFICIAL_EPS, images.official(anatomy.task, anatomy.depths), names, palette)


def timm(config: Node) -> Facts:
    """timm, whose config.json knows the image, and rarely the classes."""
    return Facts(OFFICIAL_EPS, images.timm(config), config.get("label_names"))


def huggingface(anatomy: Anatomy, family: str, config: Node, processor: Node) -> Facts:
    """What config.json and preprocessor_config.json say. Raises UserError where they and the weights disagree."""
    family = config.get("model_type", family)
    if family not in HUGGINGFACE_EPS:
        raise UserError(f"config.json is of a {family}; wanted is one of {', '.join(HUGGINGFACE_EPS)}.")
    settings.check(config, anatomy)
    eps = HUGGINGFACE_EPS[family]
    if family == "pvt_v2":
        eps = (config.get("layer_norm_eps", eps[0]),) * 2
    return Facts(
        eps,
        images.huggingface(family, processor),
        names=settings.class_names(config, anatomy.num_classes),
        ignore_index=config.get("semantic_loss_ignore_index", 255),
        max_depth=config.get("max_depth", NYU_DEPTH),
        predictor={"interpolation": "bicubic"} if family == "glpn" else None,  # as its processor brings depth to size
    )


def facts_of(anatomy: Anatomy, format: Format, config: Node, processor: Node, extras: Node) -> Facts:
    """What the format says, or means where nothing is said. Empty settings stand for files that are not there."""
    if format.layout == "huggingface":
        return huggingface(anatomy, format.family, config, processor)
    return timm(config) if format.layout == "timm" else official(anatomy, extras)


def describe(anatomy: Anatomy, facts: Facts, *, max_depth: float | None = None) -> Node:
    """The nodes that a run of ours would have stored; without a head, only `backbone` and `data`."""
    backbone = {
        "_target_": "pvtseg.backbones.pvt_v2.PyramidVisionTransformer",
        "channels": list(anatomy.channels),
        "depths": list(anatomy.depths),
        "mlp_ratios": list(anatomy.mlp_ratios),
        "linear": anatomy.linear,
        "in_channels": anatomy.in_channels,
        "drop_path_rate": 0.0,
        "embed_eps": facts.eps[0],
        "norm_eps": facts.eps[1],
    }
    data = dict(facts.image)
    if anatomy.task is None:
        return {"backbone": backbone, "data": data}

    nodes = NODES[anatomy.task]
    head = dict(nodes["head"])
    if anatomy.head_channels is not None:
        head["channels"] = anatomy.head_channels
    if anatomy.num_classes is not None:
        head["num_classes"] = anatomy.num_classes
        data["labels"] = {
            "_target_": "pvtseg.data.target_info.ClassInfo",
            "names": facts.names,
            "num_classes": anatomy.num_classes,
            "ignore_index": facts.ignore_index,
            "palette": facts.palette and [list(color) for color in facts.palette],
        }
    if anatomy.task == "depth":
        head["max_depth"] = float(max_depth or facts.max_depth)
        data["depth"] = {"_target_": "pvtseg.data.target_info.DepthRange", "min": SMALLEST_DEPTH, "max": head["max_depth"]}
    predictor = {} if facts.predictor is None else {"predictor": facts.predictor}
    return {**nodes, "backbone": backbone, "head": head, "data": data, "inference": INFERENCE, **predictor}


def epsilons(convention: str, anatomy: Anatomy) -> Node:
    """The epsilons of the encoder as its node takes them, by the convention "official" or "huggingface"."""
    if convention not in ("official", "huggingface"):
        raise UserError(f'norm_eps is {convention!r}; use "official", "huggingface", or None for the source\'s own.')
    eps = OFFICIAL_EPS if convention == "official" else HUGGINGFACE_EPS[FAMILY[anatomy.task]]
    return {"embed_eps": eps[0], "norm_eps": eps[1]}
