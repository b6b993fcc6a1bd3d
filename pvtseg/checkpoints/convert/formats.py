"""Every way of naming weights that pvtseg reads and writes, and which of them a set of names is."""

from __future__ import annotations

from collections.abc import Collection

from pvtseg.checkpoints.convert import glpn, huggingface, official, segformer, timm
from pvtseg.checkpoints.convert.names import Format

FORMATS = (
    official.CLASSIFIER,
    timm.CLASSIFIER,
    huggingface.CLASSIFIER,
    huggingface.ENCODER,
    segformer.OFFICIAL,
    segformer.SEGMENTER,
    segformer.CLASSIFIER,
    segformer.ENCODER,
    glpn.OFFICIAL,
    glpn.DEPTH_ESTIMATOR,
)


def recognize(names: Collection[str]) -> Format | None:
    """The format that knows most of the names; none when that is less than half of them."""
    best = max(FORMATS, key=lambda format: format.count(names))
    return best if best.count(names) > len(names) / 2 else None
