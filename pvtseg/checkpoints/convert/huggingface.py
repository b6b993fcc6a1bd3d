"""The names of transformers' PVT v2 (https://huggingface.co/docs/transformers/model_doc/pvt_v2)."""

from pvtseg.checkpoints.convert.names import Cut, Format, under

KEY_VALUE = Cut("attention.key_value.", ("attention.key.", "attention.value."), dim=0)

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

CLASSIFIER = Format(
    "huggingface",
    "pvt_v2",
    "classification",
    "transformers' PvtV2ForImageClassification",
    [*under("backbone.", "pvt_v2.", BACKBONE), ("head.classify", "classifier")],
    joins=(KEY_VALUE,),
)
ENCODER = Format(
    "huggingface",
    "pvt_v2",
    None,
    "transformers' PvtV2Model",
    under("backbone.", "", BACKBONE),
    joins=(KEY_VALUE,),
)
