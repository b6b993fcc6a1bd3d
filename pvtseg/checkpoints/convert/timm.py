"""The names of timm's PVT v2 (https://github.com/huggingface/pytorch-image-models)."""

from pvtseg.checkpoints.convert.names import Format, under
from pvtseg.checkpoints.convert.official import BLOCK

BACKBONE = [
    ("stages.0.embed.project", "patch_embed.proj"),
    ("stages.0.embed.norm", "patch_embed.norm"),
    ("stages.{s}.embed.project", "stages.{s}.downsample.proj"),
    ("stages.{s}.embed.norm", "stages.{s}.downsample.norm"),
    *under("stages.{s}.blocks.{b}.", "stages.{s}.blocks.{b}.", [("mlp.depthwise", "mlp.dwconv"), *BLOCK]),
    ("stages.{s}.norm", "stages.{s}.norm"),
]

CLASSIFIER = Format(
    "timm",
    "pvt_v2",
    "classification",
    "timm's PVT v2",
    [*under("backbone.", "", BACKBONE), ("head.classify", "head")],
)
