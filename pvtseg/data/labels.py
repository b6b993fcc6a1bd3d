"""The facts of a data set's answers, stated once: class names, colours, what to ignore; or the range of a depth."""

from __future__ import annotations

import colorsys
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pvtseg.interfaces import UserError

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2  # steps of this share of the colour circle never come close to an earlier one
SHADES = ((0.75, 0.95), (0.50, 0.80), (0.90, 0.65), (0.40, 1.00))  # (saturation, brightness), one after another


@dataclass(frozen=True)
class Labels:
    """The classes of a data set. Head, loss, metrics and drawing read them from here.

    names: one per class, in the order of the class indices; without them they are class_0, class_1, ... num_classes: may be left
    out where names are given. ignore_index: the value of pixels that count for nothing; no class may have it. palette: one
    (red, green, blue) per class, each 0..255; without it, colours that are easy to tell apart.
    Raises UserError where these facts contradict each other.
    """

    names: Sequence[str] | None = None
    num_classes: int | None = None
    ignore_index: int = 255
    palette: Sequence[Sequence[int]] | None = None

    def __post_init__(self) -> None:
        names = _class_names(self.names, self.num_classes)
        num_classes = len(names)
        if 0 <= self.ignore_index < num_classes:
            raise UserError(
                f"data.labels.ignore_index is {self.ignore_index}, which is also class {names[self.ignore_index]!r}; "
                f"choose a value outside 0..{num_classes - 1}, such as {255 if num_classes <= 255 else -1}"
            )
        palette = distinct_colors(num_classes) if self.palette is None else _checked_palette(self.palette, num_classes)
        object.__setattr__(self, "names", names)  # the way to settle a field of a frozen dataclass
        object.__setattr__(self, "num_classes", num_classes)
        object.__setattr__(self, "palette", palette)

    @property
    def named(self) -> bool:
        """Whether someone chose the names; not so for class_0, class_1, ..."""
        return self.names != _numbered_names(self.num_classes)

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, fit for a checkpoint; `Labels(**labels.as_dict())` is the same again."""
        return {
            "names": list(self.names),
            "num_classes": self.num_classes,
            "ignore_index": self.ignore_index,
            "palette": [list(color) for color in self.palette],
        }


@dataclass(frozen=True)
class DepthRange:
    """The depths that count, in metres: min <= depth <= max. Raises UserError unless 0 < min < max < infinity."""

    min: float
    max: float

    def __post_init__(self) -> None:
        if not 0 < self.min < self.max < math.inf:
            raise UserError(
                f"data.range is min={self.min}, max={self.max}; wanted are metres with 0 < min < max, such as "
                "min=0.001, max=10 indoors (0 itself means: no reading)"
            )

    def as_dict(self) -> dict[str, float]:
        """Plain containers, fit for a checkpoint."""
        return {"min": float(self.min), "max": float(self.max)}


def distinct_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """That many colours that are easy to tell apart, always the same: hues by the golden ratio, four shades in turn."""
    shades = [SHADES[index % len(SHADES)] for index in range(count)]
    colors = [colorsys.hsv_to_rgb(index * GOLDEN_RATIO % 1, *shade) for index, shade in enumerate(shades)]
    return tuple(tuple(round(255 * channel) for channel in color) for color in colors)


def _numbered_names(count: int) -> tuple[str, ...]:
    return tuple(f"class_{index}" for index in range(count))


def _class_names(names: Sequence[str] | None, num_classes: int | None) -> tuple[str, ...]:
    if names is None:
        if num_classes is None:
            raise UserError("the classes are unknown: set data.labels.names (a list) or data.labels.num_classes")
        if num_classes < 1:
            raise UserError(f"data.labels.num_classes is {num_classes}; wanted is 1 or more")
        return _numbered_names(num_classes)
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise UserError(
            f"data.labels.names is {names!r}; wanted is a list of texts (YAML reads no, on and 7 as something else: quote them)"
        )
    if not names:
        raise UserError("data.labels.names is empty; name at least one class, or leave it out and set data.labels.num_classes")
    if num_classes is not None and num_classes != len(names):
        raise UserError(
            f"data.labels.num_classes is {num_classes} but data.labels.names has {len(names)} names; leave num_classes out"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"data.labels.names holds {', '.join(twice)} more than once; give every class its own name")
    return tuple(names)


def _checked_palette(palette: Sequence[Sequence[int]], num_classes: int) -> tuple[tuple[int, int, int], ...]:
    if len(palette) != num_classes:
        raise UserError(f"data.labels.palette has {len(palette)} colours for {num_classes} classes; give one per class, or none")
    for color in palette:
        if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
            raise UserError(f"data.labels.palette holds {list(color)}; wanted are three numbers in 0..255: red, green, blue")
    return tuple(tuple(int(channel) for channel in color) for color in palette)
