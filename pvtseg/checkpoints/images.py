"""The configuration nodes of the image that a published model takes: how it is resized,
and how it is normalized.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Node = dict[str, Any]

EVALUATION = "pvtseg.data.transforms.evaluation"
PUBLISHED = "pvtseg.data.transforms.published"
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]


def imagenet(transform: Node) -> Node:
    """The transform, and ImageNet's mean and standard deviation."""
    return {"eval_transform": transform, "normalize": normalize(IMAGENET_MEAN, IMAGENET_STD)}


def normalize(mean: Sequence[float], std: Sequence[float]) -> Node:
    """(image - mean) / std, for an image in 0..1."""
    return {"_target_": "pvtseg.data.normalize.Normalize", "mean": list(mean), "std": list(std)}


def no_normalize(channels: int = 3) -> Node:
    """The image in 0..1."""
    return normalize([0.0] * channels, [1.0] * channels)


def original() -> Node:
    """The image at its own size."""
    return {"_target_": f"{EVALUATION}.Original"}


def keep_ratio(base_size: list[int], *, align: int | None = None) -> Node:
    """The image fitted into a frame; align: its sides rounded up to a multiple."""
    return {"_target_": f"{EVALUATION}.KeepRatio", "base_size": base_size, "align": align}


def center_crop(size: int, crop_pct: float, interpolation: str) -> Node:
    """ImageNet's protocol: the center of the image, `crop_pct` of its shorter side."""
    return {
        "_target_": f"{EVALUATION}.ResizeCenterCrop",
        "size": [size, size],
        "crop_pct": crop_pct,
        "interpolation": interpolation,
    }


def sides(size: Any) -> list[int]:
    """[height, width] of a size in any of the forms that settings use."""
    if isinstance(size, dict):
        return [size["height"], size["width"]]
    return [size, size] if isinstance(size, int) else list(size)
