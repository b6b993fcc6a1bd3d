"""OpenMMLab: SegFormer of mmsegmentation 0.x and 1.x, and PVT v2 backbones of
mmdetection.

https://github.com/open-mmlab/mmsegmentation and
https://github.com/open-mmlab/mmdetection name their encoders alike. mmsegmentation's
SegFormer head is another one than the authors', see `pvtseg.heads.conv_segformer`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pvtseg.checkpoints import images
from pvtseg.checkpoints.architecture import Architecture, HeadKind
from pvtseg.checkpoints.families import segformer
from pvtseg.checkpoints.families.family import OFFICIAL_EPS, Epsilons, Facts, Family, Node, Settings
from pvtseg.checkpoints.names import Format, SplitTensor, under

EPS: Epsilons = (1e-6, 1e-6)  # norm_cfg of MixVisionTransformer and PyramidVisionTransformer, for all norms

FRAME = re.compile(r"scale=\(\s*(\d+),\s*(\d+)\s*\)")  # of 1.x, and img_scale of 0.x

# torch's MultiheadAttention stores the projections of query, key and value as one tensor
IN_PROJECTION = SplitTensor(
    "attention.in_projection.in_proj_", ("attention.query.", "attention.key_value."), sizes=(1, 2)
)
# 1 x 1 convolutions for our linear layers
EXPAND = SplitTensor("mlp.expand_conv.", ("mlp.expand.",), kernel=(1, 1))
CONTRACT = SplitTensor("mlp.contract_conv.", ("mlp.contract.",), kernel=(1, 1))
# one 1 x 1 convolution fuses the concatenated maps, the finest first
FUSE = SplitTensor("head.fuse.", tuple(f"head.branches.{stage}.fuse." for stage in range(4)), dim=1)

BLOCK = [
    ("norm1", "norm1"),
    ("attention.in_projection", "attn.attn"),
    ("attention.project", "attn.attn.out_proj"),
    ("attention.reduce.conv", "attn.sr"),
    ("attention.reduce.norm", "attn.norm"),
    ("norm2", "norm2"),
    ("mlp.expand_conv", "ffn.layers.0"),
    ("mlp.depthwise", "ffn.layers.1"),
    ("mlp.contract_conv", "ffn.layers.4"),
]
BACKBONE = [
    ("stages.{s}.embed.project", "layers.{s}.0.projection"),
    ("stages.{s}.embed.norm", "layers.{s}.0.norm"),
    *under("stages.{s}.blocks.{b}.", "layers.{s}.1.{b}.", BLOCK),
    ("stages.{s}.norm", "layers.{s}.2"),
]
DECODER = [
    ("head.branches.{s}.project", "decode_head.convs.{s}.conv"),
    ("head.branches.{s}.norm", "decode_head.convs.{s}.bn"),
    ("head.fuse", "decode_head.fusion_conv.conv"),
    ("head.norm", "decode_head.fusion_conv.bn"),
    ("head.classify", "decode_head.conv_seg"),
]


def _sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "num_classes": len(state["head.classify.weight"]),
        "channels": len(state["head.norm.weight"]),
        "dropout": 0.1,
    }


HEAD = HeadKind("segmentation", "pvtseg.heads.conv_segformer.ConvSegFormerHead", "head.branches.0.norm.weight", _sizes)

SEGMENTER = Format(
    "openmmlab",
    "a SegFormer of mmsegmentation",
    (HEAD,),
    [*under("backbone.", "backbone.", BACKBONE), *DECODER],
    splits=(IN_PROJECTION, EXPAND, CONTRACT, FUSE),
    linear=False,
)
ENCODER = Format(
    "openmmlab",
    "an encoder of mmsegmentation or mmdetection",
    (None,),
    under("backbone.", "", BACKBONE),
    splits=(IN_PROJECTION, EXPAND, CONTRACT),
    linear=False,
)


def read(architecture: Architecture, layout: str, beside: Settings) -> Facts:  # noqa: ARG001 (it has one layout)
    """The facts of a SegFormer of mmsegmentation, or of an encoder alone."""
    names, palette = segformer.classes(beside.extras.get("meta"), architecture)
    return Facts(EPS, _image(architecture, beside.extras.get("meta")), names, palette)


def write(architecture: Architecture, layout: str, config: Node) -> Settings:  # noqa: ARG001
    """`meta` with the classes, as mmsegmentation 1.x stores them."""
    labels = config["data"].get("labels", {})
    classes = {"classes": labels.get("names"), "palette": labels.get("palette")}
    return Settings({}, {}, {"meta": {"dataset_meta": classes}})


def _image(architecture: Architecture, meta: Any) -> Node:
    """The test pipeline: the image fitted into a frame, which the training
    configuration in `meta` names.
    """
    if architecture.task != "segmentation":
        return images.imagenet(images.center_crop(224, 0.875, "bicubic"))
    meta = meta if isinstance(meta, dict) else {}
    text = str(meta.get("cfg") or meta.get("config") or "")
    frame = FRAME.search(text, max(text.find("test_pipeline"), 0))
    return images.imagenet(images.keep_ratio([int(side) for side in frame.groups()] if frame else [2048, 512]))


FAMILY = Family(
    "openmmlab",
    (SEGMENTER, ENCODER),
    HEAD,
    {"openmmlab": EPS, "official": OFFICIAL_EPS, "huggingface": segformer.TRANSFORMERS.eps},
    read,
    write,
)
