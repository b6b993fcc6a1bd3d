"""The shared encoder: PVT v2 and MiT."""

from pvtseg.backbones.pvt_v2.pyramid import PyramidVisionTransformer
from pvtseg.backbones.pvt_v2.variants import (
    mit_b0,
    mit_b1,
    mit_b2,
    mit_b3,
    mit_b4,
    mit_b5,
    pvt_v2_b0,
    pvt_v2_b1,
    pvt_v2_b2,
    pvt_v2_b2_linear,
    pvt_v2_b3,
    pvt_v2_b4,
    pvt_v2_b5,
)

__all__ = [
    "PyramidVisionTransformer",
    "mit_b0",
    "mit_b1",
    "mit_b2",
    "mit_b3",
    "mit_b4",
    "mit_b5",
    "pvt_v2_b0",
    "pvt_v2_b1",
    "pvt_v2_b2",
    "pvt_v2_b2_linear",
    "pvt_v2_b3",
    "pvt_v2_b4",
    "pvt_v2_b5",
]
