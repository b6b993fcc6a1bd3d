"""Findings: one line each, that names what was seen and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pvtseg.data.folder.segmentation import UnknownValuesError
from pvtseg.data.io import ColoredMaskError, SizesDifferError, UnreadableError

# Kinds of findings, in the order of a report. They are the values of verify.accept.
KINDS = {
    "layout": "the files do not lie as they should",
    "count": "the number of images is not the published one",
    "no_label": "images without label",
    "unreadable": "files that cannot be read",
    "size": "sizes that differ",
    "label": "label values outside of the map",
    "palette": "masks in colors or palettes",
    "depth": "depths that cannot be right",
    "refused": "images or labels that are not what they should be",
    "hidden_class": "a class that the ignored value hides",
    "empty_class": "classes that never occur",
    "duplicate": "images that are there twice",
    "blank": "images that contribute nothing to the loss",
}

RAISED = {
    UnreadableError: "unreadable",
    SizesDifferError: "size",
    UnknownValuesError: "label",
    ColoredMaskError: "palette",
}


@dataclass(frozen=True)
class Finding:
    """kind: one of KINDS. text: what was seen, what was expected, what to do. severity: with an error,
    training would go wrong.
    """

    kind: str
    split: str
    text: str
    severity: Literal["error", "warning"] = "error"


def kind_of(error: Exception) -> str:
    """The kind of finding for an error that a data set raised."""
    return RAISED.get(type(error), "refused")
