"""Weights for rare classes, as `pvtseg verify` measures them on the training data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pvtseg.errors import UserError
from pvtseg.paths import cache_file


def weights_file(root: str | Path) -> Path:
    """The file in the cache that holds the weights of the data in this folder."""
    return cache_file("class_weights", root, ".json")


def measured_weights(root: str | Path | None, names: Sequence[str]) -> list[float]:
    """One weight per class, as measured on the data in `root`. Raises UserError if
    there are none for these classes.
    """
    if root is None:
        raise UserError(
            "loss.class_weights is auto, and the data has no folder that it is known by; give a list of numbers."
        )
    path = weights_file(root)
    if not path.is_file():
        raise UserError(
            f"loss.class_weights is auto, and the classes in {root} were not counted yet; "
            "run `pvtseg verify` with the same data first."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        measured, weights = found["names"], [float(weight) for weight in found["weights"]]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is not what `pvtseg verify` writes ({error!r}); run it again.") from error
    if list(measured) != list(names) or len(weights) != len(names):
        raise UserError(
            f"{path} is about the classes {measured}, the data has {list(names)}; run `pvtseg verify` again."
        )
    return weights
