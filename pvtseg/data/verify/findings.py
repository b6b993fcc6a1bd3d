"""What the doctor finds: one line each, that names what was seen and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from pvtseg.data.folder.segmentation import UnknownValuesError
from pvtseg.data.io import ColoredMaskError, SizesDifferError, UnreadableError

# Kinds of findings, in the order of a report. They are what verify.accept names.
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
    "two_values": "masks of 0 and 255",
    "empty_class": "classes that never occur",
    "duplicate": "images that are there twice",
    "blank": "images that teach nothing",
}

RAISED = {UnreadableError: "unreadable", SizesDifferError: "size", UnknownValuesError: "label", ColoredMaskError: "palette"}


@dataclass(frozen=True)
class Finding:
    """kind: one of KINDS. text: seen, wanted, what to do. serious: training would go wrong."""

    kind: str
    part: str
    text: str
    serious: bool = True


def kind_of(error: Exception) -> str:
    """The kind of what an item of a data set raised."""
    return RAISED.get(type(error), "refused")
