"""PVT v2: the authors' classifiers (https://github.com/whai362/PVT), timm's and
transformers'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pvtseg.checkpoints import images, settings
from pvtseg.checkpoints.architecture import Architecture, HeadKind
from pvtseg.checkpoints.families.family import OFFICIAL_EPS, Facts, Family, Node, Settings
from pvtseg.checkpoints.names import Format, SplitTensor, under
from pvtseg.checkpoints.settings import Transformers
from pvtseg.errors import UserError

# transformers stores keys and values apart
KEY_VALUE = SplitTensor("attention.key_value.", ("attention.key.", "attention.value."))

OFFICIAL_BLOCK = [
    ("norm1", "norm1"),
    ("attention.query", "attn.q"),
    ("attention.key_value", "attn.kv"),
    ("attention.project", "attn.proj"),
    ("attention.reduce.conv", "attn.sr"),
    ("attention.reduce.norm", "attn.norm"),
    ("norm2", "norm2"),
    ("mlp.expand", "mlp.fc1"),
    ("mlp.depthwise", "mlp.dwconv.dwconv"),
    ("mlp.contract", "mlp.fc2"),
]
OFFICIAL_BACKBONE = [
    ("stages.{s}.embed.project", "patch_embed{S}.proj"),
    ("stages.{s}.embed.norm", "patch_embed{S}.norm"),
    *under("stages.{s}.blocks.{b}.", "block{S}.{b}.", OFFICIAL_BLOCK),
    ("stages.{s}.norm", "norm{S}"),
]
TIMM_BACKBONE = [
    ("stages.0.embed.project", "patch_embed.proj"),
    ("stages.0.embed.norm", "patch_embed.norm"),
    ("stages.{s}.embed.project", "stages.{s}.downsample.proj"),
    ("stages.{s}.embed.norm", "stages.{s}.downsample.norm"),
    *under("stages.{s}.blocks.{b}.", "stages.{s}.blocks.{b}.", [("mlp.depthwise", "mlp.dwconv"), *OFFICIAL_BLOCK]),
    ("stages.{s}.norm", "stages.{s}.norm"),
]
BLOCK = [
    ("norm1", "layer_norm_1"),
    ("attention.query", "attention.query"),
    ("attention.key", "attention.key"),
    ("attention.value", "attention.value"),
    ("attention.project", "attention.proj"),
    ("attention.reduce.conv", "attention.spatial_reduction"),
    ("attention.reduce.norm", "attention.layer_norm"),
    ("norm2", "layer_norm_2"),
    ("mlp.expand", "mlp.dense1"),
    ("mlp.depthwise", "mlp.dwconv.dwconv"),
    ("mlp.contract", "mlp.dense2"),
]
BACKBONE = [
    ("stages.{s}.embed.project", "encoder.layers.{s}.patch_embedding.proj"),
    ("stages.{s}.embed.norm", "encoder.layers.{s}.patch_embedding.layer_norm"),
    *under("stages.{s}.blocks.{b}.", "encoder.layers.{s}.blocks.{b}.", BLOCK),
    ("stages.{s}.norm", "encoder.layers.{s}.layer_norm"),
]


def _sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"num_classes": len(state["head.classify.weight"])}


HEAD = HeadKind("classification", "pvtseg.heads.linear.LinearHead", "head.classify.weight", _sizes)

OFFICIAL = Format(
    "official",
    "an official PVT v2 classifier",
    (HEAD, None),
    [*under("backbone.", "", OFFICIAL_BACKBONE), ("head.classify", "head")],
)
TIMM = Format(
    "timm",
    "timm's PVT v2",
    (HEAD, None),
    [*under("backbone.", "", TIMM_BACKBONE), ("head.classify", "head")],
)
CLASSIFIER = Format(
    "huggingface",
    "transformers' PvtV2ForImageClassification",
    (HEAD,),
    [*under("backbone.", "pvt_v2.", BACKBONE), ("head.classify", "classifier")],
    joins=(KEY_VALUE,),
    architecture="PvtV2ForImageClassification",
)
ENCODER = Format(
    "huggingface",
    "transformers' PvtV2Model",
    (None,),
    under("backbone.", "", BACKBONE),
    joins=(KEY_VALUE,),
    architecture="PvtV2Model",
)
FORMATS = (OFFICIAL, TIMM, CLASSIFIER, ENCODER)

TRANSFORMERS = Transformers(
    "pvt_v2",
    eps=(1e-6, 1e-6),
    eps_key="layer_norm_eps",
    processor={
        "image_processor_type": "PvtImageProcessor",
        "do_normalize": True,
        "size": {"height": 224, "width": 224},
        "resample": 3,
    },
)
OFFICIAL_CROP = 0.875  # of the shorter side of 256
TIMM_CROP = 0.9


def read(architecture: Architecture, layout: str, beside: Settings) -> Facts:
    """The facts of a classifier or an encoder."""
    if layout == "huggingface":
        return settings.read(TRANSFORMERS, architecture, beside)
    if layout == "timm":
        return Facts(OFFICIAL_EPS, _timm_image(beside.config), beside.config.get("label_names"))
    return Facts(OFFICIAL_EPS, images.imagenet(images.center_crop(224, OFFICIAL_CROP, "bicubic")))


def write(architecture: Architecture, layout: str, config: Node) -> Settings:
    """The settings of a classifier or an encoder of ours."""
    if layout == "huggingface":
        return settings.write(TRANSFORMERS, FORMATS, architecture, config)
    return Settings(_timm_config(architecture, config) if layout == "timm" else {}, {}, {})


def _timm_image(config: Node) -> Node:
    """The image of timm's config.json; what it does not say is timm's default for PVT v2."""
    wanted = config.get("pretrained_cfg", {})
    transform = images.center_crop(
        wanted.get("input_size", [3, 224, 224])[-1],
        wanted.get("crop_pct", TIMM_CROP),
        wanted.get("interpolation", "bicubic"),
    )
    mean, std = wanted.get("mean", images.IMAGENET_MEAN), wanted.get("std", images.IMAGENET_STD)
    return {"eval_transform": transform, "normalize": images.normalize(mean, std)}


def _timm_config(architecture: Architecture, config: Node) -> Node:
    """The config.json of timm for a model of ours."""
    data, num_classes = config["data"], architecture.num_classes or 0
    transform = data["eval_transform"]
    written: Node = {
        "architecture": _timm_name(config["backbone"]),
        "num_classes": num_classes,
        "num_features": architecture.channels[-1],
        "pretrained_cfg": {
            "input_size": [3, *images.sides(transform.get("size", 224))],
            "crop_pct": transform.get("crop_pct", 1.0),
            "crop_mode": "center" if "crop_pct" in transform else "squash",
            "interpolation": transform.get("interpolation", "bicubic"),
            "mean": data["normalize"]["mean"],
            "std": data["normalize"]["std"],
            "num_classes": num_classes,
        },
    }
    if architecture.in_channels != 3:
        written["model_args"] = {"in_chans": architecture.in_channels}
    names = data.get("labels", {}).get("names")
    if names:
        written["label_names"] = list(names)
    return written


def _timm_name(backbone: Node) -> str:
    """The name that timm has for this backbone; it knows the published sizes."""
    name = backbone["_target_"].rpartition(".")[2]
    name = f"{name}_li" if backbone.get("linear") else name.replace("_linear", "_li").replace("mit_b5", "pvt_v2_b5")
    if not name.startswith("pvt_v2_b"):
        raise UserError(
            f"timm has PVT v2 in its published sizes, and not {name}; save with layout=pvtseg, huggingface or official."
        )
    return name


FAMILY = Family("pvt_v2", FORMATS, HEAD, {"official": OFFICIAL_EPS, "huggingface": TRANSFORMERS.eps}, read, write)
