"""The names of the authors' code: PVT v2 and MiT encoders, ImageNet classifiers (https://github.com/whai362/PVT)."""

from pvtseg.checkpoints.convert.names import Format, under

BLOCK = [
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
BACKBONE = [
    ("stages.{s}.embed.project", "patch_embed{S}.proj"),
    ("stages.{s}.embed.norm", "patch_embed{S}.norm"),
    *under("stages.{s}.blocks.{b}.", "block{S}.{b}.", BLOCK),
    ("stages.{s}.norm", "norm{S}"),
]

CLASSIFIER = Format(
    "official",
    "pvt_v2",
    "classification",
    "an official PVT v2 classifier",
    [*under("backbone.", "", BACKBONE), ("head.classify", "head")],
)
