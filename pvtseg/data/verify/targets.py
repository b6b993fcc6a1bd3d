"""The kinds of targets that are checked, told apart by their values."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np


def single_targets(target: Any) -> list[Any]:
    """The targets of a mapping, one by one; any other target alone."""
    return list(target.values()) if isinstance(target, Mapping) else [target]


def is_labels(target: Any) -> bool:
    """A class index, or a segmentation map of an integer type."""
    return isinstance(target, Integral) or (isinstance(target, np.ndarray) and target.dtype.kind in "ui")


def is_depth(target: Any) -> bool:
    """A floating-point map (H, W)."""
    return isinstance(target, np.ndarray) and target.ndim == 2 and target.dtype.kind == "f"
