"""The classes of the scenes and their colors, for segmentation maps and for whole images."""

from __future__ import annotations

from collections.abc import Sequence

from pvtseg.data.scenes.furniture import MAKERS
from pvtseg.data.target_info import ClassInfo
from pvtseg.errors import UserError

KINDS = tuple(MAKERS)  # what can stand in the middle: the classes of whole images
CLASSES = ("wall", "floor", "ceiling", "door", "window", "picture", "rug", *KINDS)
PALETTE = (
    (172, 164, 152), (139, 104, 72), (226, 226, 220), (122, 72, 160), (104, 190, 232), (240, 160, 60), (196, 92, 130),
    (214, 66, 60), (190, 140, 40), (70, 90, 170), (250, 226, 90), (72, 160, 76), (40, 190, 170),
)  # fmt: skip


def scene_labels(
    target: str,
    *,
    names: Sequence[str] | None = None,
    num_classes: int | None = None,
    ignore_index: int = 255,
    palette: Sequence[Sequence[int]] | None = None,
) -> ClassInfo:
    """The classes of a target, segmentation or classification, in the order of the
    class indices.

    names, palette: other names and colors; None takes the scenes' own.
    Raises UserError for another target, and where num_classes is another number.
    """
    known = {"segmentation": CLASSES, "classification": KINDS}
    if target not in known:
        raise UserError(f"data.labels.target is {target!r}; use one of {', '.join(known)}.")
    classes = known[target]
    return ClassInfo(names or classes, num_classes, ignore_index, palette or PALETTE[-len(classes) :])
