"""The class that the ignored value hides: masks of 0 and 255 for two classes, without a
label map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pvtseg.data.target_info import ClassInfo

LONGEST = 32  # classes that a label map on the command line can list


@dataclass(frozen=True)
class HiddenClass:
    """A class that never occurs, while pixels of the value `ignore_index` are ignored."""

    labels: ClassInfo
    seen: list[int]  # class indices

    def message(self, masks: str) -> str:
        """The message, without its full stop."""
        ignored, names = self.labels.ignore_index, self.labels.names
        values = ", ".join(map(str, self.seen))
        if len(names) == 1:
            ours, label_map = f"names=[background,{names[0]}]", self._label_map([0], 1)
            return (
                f"{masks} hold {values} and {ignored} only, {ignored} is ignored, and a single class cannot be "
                f"learned; if {ignored} is {names[0]!r}, set 'data.labels.{ours}' 'data.train.label_map={label_map}'"
            )
        last = len(names) - 1
        known = range(last)
        return (
            f"{masks} hold {values} and {ignored} only, and {ignored} is ignored, so {names[last]!r} is never seen; "
            f"if {ignored} is that class, set 'data.train.label_map={self._label_map(known, last)}', "
            f"and if it is to be ignored, 'data.train.label_map={self._label_map(range(last + 1), 'ignore')}'"
        )

    def _label_map(self, known: range | list[int], meaning: int | str) -> str:
        entries = [f"{index}: {index}" for index in known] if len(known) <= LONGEST else ["..."]
        return "{" + ", ".join([*entries, f"{self.labels.ignore_index}: {meaning}"]) + "}"


def hidden_class(seen: np.ndarray, any_ignored: bool, labels: ClassInfo) -> HiddenClass | None:
    """The class that the ignored value seems to hide; None if there is none.

    seen: (num_classes,) bool. It is hidden if the last class alone never occurs, or if
    nothing but class 0 occurs, while there are ignored pixels of the value 255.
    """
    if not any_ignored or labels.ignore_index != 255:
        return None
    present = np.flatnonzero(seen).tolist()
    if present == [0] or (len(present) > 1 and present == list(range(labels.num_classes - 1))):
        return HiddenClass(labels, present)
    return None
