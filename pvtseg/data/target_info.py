"""The facts of a data set's targets, stated once: class names, colors and ignore_index;
or the range of depth.
"""

from __future__ import annotations

import colorsys
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pvtseg.errors import UserError

if TYPE_CHECKING:
    import numpy as np

# The golden ratio of three dimensions: x^4 = x + 1. Steps of 1/x, 1/x^2 and 1/x^3 fill
# a cube evenly, however many there are
# (http://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences).
GOLDEN_RATIO = 1.2207440846057596


@dataclass(frozen=True, init=False)
class ClassInfo:
    """The classes of a data set. Head, loss, metrics and drawing read them from here.

    names: one per class, in the order of the class indices; without them they are
    class_0, class_1, ...
    num_classes: may be left out where names are given.
    ignore_index: the value of pixels without a class; no class may have it.
    palette: (red, green, blue) per class, each 0..255; without it, colors that are easy
    to tell apart.
    Raises UserError where these facts contradict each other.
    """

    names: tuple[str, ...]
    num_classes: int
    ignore_index: int
    palette: tuple[tuple[int, int, int], ...]

    def __init__(
        self,
        names: Sequence[str] | None = None,
        num_classes: int | None = None,
        ignore_index: int = 255,
        palette: Sequence[Sequence[int]] | None = None,
    ) -> None:
        names = _class_names(names, num_classes)
        count = len(names)
        if 0 <= ignore_index < count:
            raise UserError(
                f"data.labels.ignore_index is {ignore_index}, which is also class {names[ignore_index]!r}; "
                f"choose a value outside 0..{count - 1}, such as "
                f"data.labels.ignore_index={255 if count <= 255 else -1}."
            )
        colors = distinct_colors(count) if palette is None else _checked_palette(palette, count)
        for name, value in (
            ("names", names),
            ("num_classes", count),
            ("ignore_index", ignore_index),
            ("palette", colors),
        ):
            object.__setattr__(self, name, value)  # the way to set a field of a frozen dataclass

    @property
    def named(self) -> bool:
        """True if someone chose the names; False for class_0, class_1, ..."""
        return self.names != _numbered_names(self.num_classes)

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, fit for a checkpoint; `ClassInfo(**labels.as_dict())` is
        the same again.
        """
        return {
            "names": list(self.names),
            "num_classes": self.num_classes,
            "ignore_index": self.ignore_index,
            "palette": [list(color) for color in self.palette],
        }


@dataclass(frozen=True)
class DepthRange:
    """The depths that count, in meters: min <= depth <= max.

    crop: the region of the image that the benchmark measures, by its name in the
    metrics; None for the whole image.
    Raises UserError unless 0 < min < max < infinity.
    """

    min: float
    max: float
    crop: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min < self.max < math.inf:
            raise UserError(
                f"data.depth is min={self.min}, max={self.max}; expected meters with 0 < min < max, "
                "such as data.depth.min=0.001 data.depth.max=10 indoors (0 itself is invalid depth)."
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, fit for a checkpoint; `DepthRange(**range.as_dict())` is
        the same again.
        """
        return {"min": float(self.min), "max": float(self.max), "crop": self.crop}

    def keep(self, depth: np.ndarray) -> np.ndarray:
        """Meters (H, W), 0 (invalid) in place of everything out of range."""
        return depth * ((depth >= self.min) & (depth <= self.max))


def distinct_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """Colors that are easy to tell apart, never too pale or too dark, and always the same."""
    return tuple(_color(index) for index in range(count))


def _color(index: int) -> tuple[int, int, int]:
    hue, saturation, brightness = ((0.5 + index / GOLDEN_RATIO**axis) % 1 for axis in (1, 2, 3))
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.4 + 0.55 * saturation, 0.5 + 0.5 * brightness)
    return round(255 * red), round(255 * green), round(255 * blue)


def _numbered_names(count: int) -> tuple[str, ...]:
    return tuple(f"class_{index}" for index in range(count))


def _class_names(names: Sequence[str] | None, num_classes: int | None) -> tuple[str, ...]:
    if names is None:
        if num_classes is None:
            raise UserError("the classes are unknown; set data.labels.names (a list) or data.labels.num_classes.")
        if num_classes < 1:
            raise UserError(f"data.labels.num_classes is {num_classes}; use 1 or more.")
        return _numbered_names(num_classes)
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise UserError(
            f"data.labels.names is {names!r}; expected a list of texts "
            "(YAML takes no, on and 7 for something else: put them in quotes)."
        )
    if not names:
        raise UserError("data.labels.names is empty; name every class, or set data.labels.num_classes instead.")
    if num_classes is not None and num_classes != len(names):
        raise UserError(
            f"data.labels.num_classes is {num_classes} but data.labels.names has {len(names)} names; "
            "correct one of them, or leave data.labels.num_classes out."
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(f"data.labels.names holds {', '.join(repeated)} more than once; give every class its own name.")
    return tuple(names)


def _checked_palette(palette: Sequence[Sequence[int]], num_classes: int) -> tuple[tuple[int, int, int], ...]:
    if len(palette) != num_classes:
        raise UserError(
            f"data.labels.palette has {len(palette)} colors for {num_classes} classes; give one per class, or none."
        )
    for color in palette:
        if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
            raise UserError(f"data.labels.palette holds {list(color)}; use red, green, blue, each in 0..255.")
    return tuple((int(red), int(green), int(blue)) for red, green, blue in palette)
