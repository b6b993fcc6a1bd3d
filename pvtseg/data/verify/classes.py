"""How often each class occurs, and the weights that make up for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pvtseg.data.target_info import ClassInfo
from pvtseg.data.verify.statistics import Part


def class_weights(part: Part, labels: ClassInfo) -> dict[str, Any]:
    """Median-frequency weights (https://arxiv.org/abs/1411.4734, section 6.3.2): names, frequency and weights, one per class.

    frequency: the class's share of all labeled pixels, or of all images where one image has one class. A weight is the
    median over classes of f, divided by the class's own f: its share of the pixels of those images that show it. A class
    that never occurs weighs 1, which no loss will ever see.
    """
    pixels = np.broadcast_to(part.class_pixels, labels.num_classes).astype(float)
    reach = np.broadcast_to(part.class_reach, labels.num_classes)
    shares = pixels / pixels.sum() if pixels.any() else pixels
    one_class_an_image = bool((pixels == reach).all())
    local = shares if one_class_an_image else np.divide(pixels, reach, out=np.zeros_like(pixels), where=reach > 0)
    seen = local > 0
    median = np.median(local[seen]) if seen.any() else 1.0
    weights = np.divide(median, local, out=np.ones_like(local), where=seen)
    return {"names": list(labels.names), "frequency": shares.tolist(), "weights": weights.tolist()}
