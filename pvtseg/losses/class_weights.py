"""Class weights that `pvtseg verify` measured on the training data and stored in its
folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pvtseg.errors import UserError

MEASURED = Path(".pvtseg") / "class_weights.json"


def measured_weights(root: str | Path | None, names: Sequence[str]) -> list[float]:
    """One weight for each of these classes, from ROOT/.pvtseg/class_weights.json.

    Raises UserError where the file is missing, damaged or about other classes.
    """
    if root is None:
        raise UserError("loss.class_weights is auto, and the data has no folder to look in; give a list of numbers.")
    path = Path(root) / MEASURED
    if not path.is_file():
        raise UserError(f"loss.class_weights is auto, and there is no {path}; let `pvtseg verify` count the classes first.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        measured, weights = found["names"], [float(weight) for weight in found["weights"]]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is not what `pvtseg verify` writes ({error!r}); run it again.") from error
    if list(measured) != list(names) or len(weights) != len(names):
        raise UserError(f"{path} is about the classes {measured}, the data has {list(names)}; run `pvtseg verify` again.")
    return weights
