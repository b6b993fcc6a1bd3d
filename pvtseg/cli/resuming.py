"""What a resumed run may change of the run that it goes on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pvtseg.build import Config, checkpoint_config
from pvtseg.errors import UserError

BOUND = ("task", "backbone", "head", "optimizer")  # the weights and the state of the optimizer belong to them


def changes(stored: Mapping[str, Any], config: Config) -> str:
    """The keys that differ from the stored configuration of the run, for the header.

    Raises UserError for a change of the task, the model or the optimizer, because their
    state is resumed and the new value would have no effect.
    """
    old, new = dict(_dotted(stored, "")), dict(_dotted(checkpoint_config(config), ""))
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    bound = [key for key in differing if key.partition(".")[0] in BOUND]
    if bound:
        key = bound[0]
        raise UserError(
            f"{key} is {old.get(key)} in the run and {new.get(key)} here, and a run is resumed as it began; "
            "repeat its command line (config.yaml in its folder holds every key), or start from its weights by init=."
        )
    shown = ", ".join(f"{key}={new.get(key)} (was {old.get(key)})" for key in differing[:5])
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    return f"; changed: {shown}{more}" if differing else ""


def _dotted(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """(key, value) of every value in nested mappings, keys joined by dots."""
    if not isinstance(node, Mapping):
        yield prefix, list(node) if isinstance(node, tuple) else node
        return
    for key, value in node.items():
        yield from _dotted(value, f"{prefix}.{key}" if prefix else str(key))
