"""The published sizes: PVT v2 (https://arxiv.org/abs/2106.13797, table 1) and
SegFormer's MiT (https://arxiv.org/abs/2105.15203).

Every function takes the options of `PyramidVisionTransformer` by name. Counts are
parameters of the encoder alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pvtseg.backbones.pvt_v2.pyramid import PyramidVisionTransformer


class Variant(NamedTuple):
    """The channels and the number of blocks of each stage."""

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]


NARROW = (32, 64, 160, 256)
WIDE = (64, 128, 320, 512)
SIZES = {
    "b0": Variant(NARROW, (2, 2, 2, 2)),
    "b1": Variant(WIDE, (2, 2, 2, 2)),
    "b2": Variant(WIDE, (3, 4, 6, 3)),
    "b3": Variant(WIDE, (3, 4, 18, 3)),
    "b4": Variant(WIDE, (3, 8, 27, 3)),
    "b5": Variant(WIDE, (3, 6, 40, 3)),
}
PVT_V2_RATIOS = (8, 8, 4, 4)
MIT_RATIOS = (4, 4, 4, 4)  # and PVT v2 b5's, so that MiT-B5 and PVTv2-B5 are one encoder


def variant_of(
    channels: Sequence[int], depths: Sequence[int], mlp_ratios: Sequence[int], linear: bool = False
) -> str | None:
    """The function of this file that builds an encoder of these sizes: "pvt_v2_b0",
    "mit_b3"; None for other sizes.

    B5 is both PVT v2's and MiT's; its name is "pvt_v2_b5".
    """
    size = next((size for size, known in SIZES.items() if known == (tuple(channels), tuple(depths))), None)
    if size is None or (linear and size != "b2"):
        return None
    if tuple(mlp_ratios) == PVT_V2_RATIOS and size != "b5":
        return f"pvt_v2_{size}" + ("_linear" if linear else "")
    if tuple(mlp_ratios) == MIT_RATIOS and not linear:
        return "pvt_v2_b5" if size == "b5" else f"mit_{size}"
    return None


def pvt_v2_b0(**options: Any) -> PyramidVisionTransformer:
    """PVTv2-B0, 3.4 M."""
    return PyramidVisionTransformer(*SIZES["b0"], PVT_V2_RATIOS, **options)


def pvt_v2_b1(**options: Any) -> PyramidVisionTransformer:
    """PVTv2-B1, 13.5 M."""
    return PyramidVisionTransformer(*SIZES["b1"], PVT_V2_RATIOS, **options)


def pvt_v2_b2(**options: Any) -> PyramidVisionTransformer:
    """PVTv2-B2, 24.8 M."""
    return PyramidVisionTransformer(*SIZES["b2"], PVT_V2_RATIOS, **options)


def pvt_v2_b2_linear(**options: Any) -> PyramidVisionTransformer:
    """PVTv2-B2-Li, 22.0 M: b2 with linear attention."""
    return pvt_v2_b2(linear=True, **options)


def pvt_v2_b3(**options: Any) -> PyramidVisionTransformer:
    """PVTv2-B3, 44.7 M."""
    return PyramidVisionTransformer(*SIZES["b3"], PVT_V2_RATIOS, **options)


def pvt_v2_b4(**options: Any) -> PyramidVisionTransformer:
    """PVTv2-B4, 62.0 M."""
    return PyramidVisionTransformer(*SIZES["b4"], PVT_V2_RATIOS, **options)


def pvt_v2_b5(**options: Any) -> PyramidVisionTransformer:
    """PVTv2-B5, 81.4 M."""
    return PyramidVisionTransformer(*SIZES["b5"], MIT_RATIOS, **options)


def mit_b0(**options: Any) -> PyramidVisionTransformer:
    """MiT-B0, 3.3 M."""
    return PyramidVisionTransformer(*SIZES["b0"], MIT_RATIOS, **options)


def mit_b1(**options: Any) -> PyramidVisionTransformer:
    """MiT-B1, 13.2 M."""
    return PyramidVisionTransformer(*SIZES["b1"], MIT_RATIOS, **options)


def mit_b2(**options: Any) -> PyramidVisionTransformer:
    """MiT-B2, 24.2 M."""
    return PyramidVisionTransformer(*SIZES["b2"], MIT_RATIOS, **options)


def mit_b3(**options: Any) -> PyramidVisionTransformer:
    """MiT-B3, 44.1 M."""
    return PyramidVisionTransformer(*SIZES["b3"], MIT_RATIOS, **options)


def mit_b4(**options: Any) -> PyramidVisionTransformer:
    """MiT-B4, 60.8 M."""
    return PyramidVisionTransformer(*SIZES["b4"], MIT_RATIOS, **options)


def mit_b5(**options: Any) -> PyramidVisionTransformer:
    """MiT-B5, 81.4 M."""
    return PyramidVisionTransformer(*SIZES["b5"], MIT_RATIOS, **options)
