"""SegFormer: the authors' (https://github.com/NVlabs/SegFormer) and transformers',
before and since version 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pvtseg.checkpoints import images, settings
from pvtseg.checkpoints.architecture import Architecture, HeadKind
from pvtseg.checkpoints.families import pvt_v2
from pvtseg.checkpoints.families.family import OFFICIAL_EPS, Facts, Family, Node, Settings
from pvtseg.checkpoints.families.pvt_v2 import KEY_VALUE, OFFICIAL_BACKBONE
from pvtseg.checkpoints.names import Format, SplitTensor, under
from pvtseg.checkpoints.settings import Transformers

# One 1 x 1 convolution fuses the concatenated maps, the coarsest first; we store the
# columns of each map beside the map.
FUSE = SplitTensor("head.fuse.", tuple(f"head.branches.{stage}.fuse." for stage in (3, 2, 1, 0)), dim=1, kernel=(1, 1))

OFFICIAL_HEAD = [
    ("head.branches.{s}.project", "decode_head.linear_c{S}.proj"),
    ("head.fuse", "decode_head.linear_fuse.conv"),
    ("head.norm", "decode_head.linear_fuse.bn"),
    ("head.classify", "decode_head.linear_pred"),
]

# transformers 4, and what version 5 writes
BLOCK = [
    ("norm1", "layer_norm_1"),
    ("attention.query", "attention.self.query"),
    ("attention.key", "attention.self.key"),
    ("attention.value", "attention.self.value"),
    ("attention.project", "attention.output.dense"),
    ("attention.reduce.conv", "attention.self.sr"),
    ("attention.reduce.norm", "attention.self.layer_norm"),
    ("norm2", "layer_norm_2"),
    ("mlp.expand", "mlp.dense1"),
    ("mlp.depthwise", "mlp.dwconv.dwconv"),
    ("mlp.contract", "mlp.dense2"),
]
BACKBONE = [
    ("stages.{s}.embed.project", "encoder.patch_embeddings.{s}.proj"),
    ("stages.{s}.embed.norm", "encoder.patch_embeddings.{s}.layer_norm"),
    *under("stages.{s}.blocks.{b}.", "encoder.block.{s}.{b}.", BLOCK),
    ("stages.{s}.norm", "encoder.layer_norm.{s}"),
]
DECODER = [
    ("head.branches.{s}.project", "decode_head.linear_c.{s}.proj"),
    ("head.fuse", "decode_head.linear_fuse"),
    ("head.norm", "decode_head.batch_norm"),
    ("head.classify", "decode_head.classifier"),
]

# transformers 5 in memory
NEW_BLOCK = [
    ("norm1", "layernorm_before"),
    ("attention.query", "attention.q_proj"),
    ("attention.key", "attention.k_proj"),
    ("attention.value", "attention.v_proj"),
    ("attention.project", "attention.o_proj"),
    ("attention.reduce.conv", "attention.sequence_reduction.sequence_reduction"),
    ("attention.reduce.norm", "attention.sequence_reduction.layer_norm"),
    ("norm2", "layernorm_after"),
    ("mlp.expand", "mlp.fc1"),
    ("mlp.depthwise", "mlp.dwconv.dwconv"),
    ("mlp.contract", "mlp.fc2"),
]
NEW_BACKBONE = [
    ("stages.{s}.embed.project", "stages.{s}.patch_embeddings.proj"),
    ("stages.{s}.embed.norm", "stages.{s}.patch_embeddings.layer_norm"),
    *under("stages.{s}.blocks.{b}.", "stages.{s}.blocks.{b}.", NEW_BLOCK),
    ("stages.{s}.norm", "stages.{s}.layer_norm"),
]
NEW_DECODER = [("head.branches.{s}.project", "decode_head.linear_projections.{s}.proj")]


def _sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "num_classes": len(state["head.classify.weight"]),
        "channels": len(state["head.norm.weight"]),
        "dropout": 0.1,
    }


HEAD = HeadKind("segmentation", "pvtseg.heads.segformer.SegFormerHead", "head.branches.0.project.bias", _sizes)

OFFICIAL = Format(
    "official",
    "an official SegFormer",
    (HEAD,),
    [*under("backbone.", "backbone.", OFFICIAL_BACKBONE), *OFFICIAL_HEAD],
    splits=(FUSE,),
    unused=("decode_head.conv_seg",),
)
SEGMENTER = Format(
    "huggingface",
    "transformers' SegformerForSemanticSegmentation",
    (HEAD,),
    [
        *under("backbone.", "segformer.", BACKBONE),
        *DECODER,
        *under("backbone.", "segformer.", NEW_BACKBONE),
        *NEW_DECODER,
    ],
    joins=(KEY_VALUE,),
    splits=(FUSE,),
    linear=False,
    architecture="SegformerForSemanticSegmentation",
)
CLASSIFIER = Format(
    "huggingface",
    "transformers' SegformerForImageClassification",
    (pvt_v2.HEAD,),
    [
        *under("backbone.", "segformer.", BACKBONE),
        *under("backbone.", "segformer.", NEW_BACKBONE),
        ("head.classify", "classifier"),
    ],
    joins=(KEY_VALUE,),
    linear=False,
    architecture="SegformerForImageClassification",
)
ENCODER = Format(
    "huggingface",
    "transformers' SegformerModel",
    (None,),
    [*under("backbone.", "", BACKBONE), *under("backbone.", "", NEW_BACKBONE)],
    joins=(KEY_VALUE,),
    linear=False,
    architecture="SegformerModel",
)
FORMATS = (OFFICIAL, SEGMENTER, CLASSIFIER, ENCODER)

TRANSFORMERS = Transformers(
    "segformer",
    eps=(1e-5, 1e-5),  # its layer_norm_eps is ignored
    processor={
        "image_processor_type": "SegformerImageProcessor",
        "do_normalize": True,
        "size": {"height": 512, "width": 512},
        "resample": 2,
    },
)


def read(architecture: Architecture, layout: str, beside: Settings) -> Facts:
    """The facts of a SegFormer, or of an encoder that was stored as one."""
    if layout == "huggingface":
        return settings.read(TRANSFORMERS, architecture, beside)
    names, palette = classes(beside.extras.get("meta"), architecture)
    return Facts(OFFICIAL_EPS, ade20k_image(architecture), names, palette)


def write(architecture: Architecture, layout: str, config: Node) -> Settings:
    """The settings of a SegFormer of ours. The authors' code is made with
    mmsegmentation 0.x, which stores classes in `meta`.
    """
    if layout == "huggingface":
        return settings.write(TRANSFORMERS, FORMATS, architecture, config)
    labels = config["data"].get("labels", {})
    return Settings({}, {}, {"meta": {"CLASSES": labels.get("names"), "PALETTE": labels.get("palette")}})


def ade20k_image(architecture: Architecture) -> Node:
    """The evaluation of SegFormer on ADE20K. B5 was trained on larger crops than the others."""
    short = 640 if architecture.depths[2] == 40 else 512
    return images.imagenet(images.keep_ratio([2048, short], align=32))


def classes(meta: Any, architecture: Architecture) -> tuple[list[str] | None, list[list[int]] | None]:
    """Class names and palette of mmsegmentation's `meta`, versions 0.x and 1.x; None if
    they do not fit the head.
    """
    meta = meta if isinstance(meta, dict) else {}
    meta = meta.get("dataset_meta") or meta
    found = {str(key).lower(): value for key, value in meta.items()} if isinstance(meta, dict) else {}
    names, palette = (_list_of(found.get(key), architecture.num_classes) for key in ("classes", "palette"))
    if names is None or len({str(name) for name in names}) < len(names):
        return None, None
    return [str(name) for name in names], palette and [[int(channel) for channel in color] for color in palette]


def _list_of(value: Any, length: int | None) -> list[Any] | None:
    return list(value) if isinstance(value, list | tuple) and len(value) == length else None


FAMILY = Family("segformer", FORMATS, HEAD, {"official": OFFICIAL_EPS, "huggingface": TRANSFORMERS.eps}, read, write)
