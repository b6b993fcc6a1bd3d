"""The names of SegFormer: the authors' (https://github.com/NVlabs/SegFormer) and transformers', before and since version 5."""

from pvtseg.checkpoints.convert import official
from pvtseg.checkpoints.convert.huggingface import KEY_VALUE
from pvtseg.checkpoints.convert.names import Cut, Format, under

# One 1 x 1 convolution fuses the concatenated maps, the coarsest first; we keep each map's share of it beside the map.
FUSE = Cut("head.fuse.", tuple(f"head.branches.{stage}.fuse." for stage in (3, 2, 1, 0)), dim=1, kernel=(1, 1))

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
HEAD = [
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
NEW_HEAD = [("head.branches.{s}.project", "decode_head.linear_projections.{s}.proj")]

OFFICIAL = Format(
    "official",
    "segformer",
    "segmentation",
    "an official SegFormer",
    [*under("backbone.", "backbone.", official.BACKBONE), *OFFICIAL_HEAD],
    splits=(FUSE,),
    unused=("decode_head.conv_seg",),
)
SEGMENTER = Format(
    "huggingface",
    "segformer",
    "segmentation",
    "transformers' SegformerForSemanticSegmentation",
    [*under("backbone.", "segformer.", BACKBONE), *HEAD, *under("backbone.", "segformer.", NEW_BACKBONE), *NEW_HEAD],
    joins=(KEY_VALUE,),
    splits=(FUSE,),
)
CLASSIFIER = Format(
    "huggingface",
    "segformer",
    "classification",
    "transformers' SegformerForImageClassification",
    [
        *under("backbone.", "segformer.", BACKBONE),
        *under("backbone.", "segformer.", NEW_BACKBONE),
        ("head.classify", "classifier"),
    ],
    joins=(KEY_VALUE,),
)
ENCODER = Format(
    "huggingface",
    "segformer",
    None,
    "transformers' SegformerModel",
    [*under("backbone.", "", BACKBONE), *under("backbone.", "", NEW_BACKBONE)],
    joins=(KEY_VALUE,),
)
