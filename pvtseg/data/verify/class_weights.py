"""The frequency of each class, and the weights that balance them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pvtseg.data.target_info import ClassInfo
from pvtseg.data.verify.statistics import SplitStatistics


def class_weights(train: SplitStatistics, labels: ClassInfo) -> dict[str, Any]:
    """Median-frequency weights (https://arxiv.org/abs/1411.4734, section 6.3.2): names,
    frequency and weights, one per class.

    frequency: the fraction of all labeled pixels, or of all images if an image has one
    class. f: the fraction of a class among the pixels of the images that show it. A
    weight is the median of f over the classes, divided by the class's f. A class that
    never occurs has the weight 1.
    """
    pixels = np.broadcast_to(train.class_pixels, labels.num_classes).astype(float)
    reach = np.broadcast_to(train.class_reach, labels.num_classes)
    fractions = pixels / pixels.sum() if pixels.any() else pixels
    one_class_an_image = bool((pixels == reach).all())
    local = fractions if one_class_an_image else np.divide(pixels, reach, out=np.zeros_like(pixels), where=reach > 0)
    seen = local > 0
    median = np.median(local[seen]) if seen.any() else 1.0
    weights = np.divide(median, local, out=np.ones_like(local), where=seen)
    return {"names": list(labels.names), "frequency": fractions.tolist(), "weights": weights.tolist()}
