"""Sizes: from a configuration, scaled, and fitted into one another."""

from __future__ import annotations

from collections.abc import Sequence

from pvtseg.errors import UserError


def as_size(size: int | Sequence[int], *, option: str = "size") -> tuple[int, int]:
    """Two sides in whole pixels; one number stands for both. Raises UserError that
    names the option for anything else.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UserError(f"{option} is {size}; use two sides in pixels, such as '{option}=[512, 512]'.")
    return sides


def as_range(limits: Sequence[float], *, option: str) -> tuple[float, float]:
    """The lower and the upper limit. Raises UserError that names the option unless
    there are two.
    """
    if isinstance(limits, str) or not isinstance(limits, Sequence) or len(limits) != 2:
        raise UserError(f"{option} is {limits}; use the lower and the upper limit, such as '{option}=[0.8, 1.2]'.")
    return limits[0], limits[1]


def scaled(size: Sequence[int], scale: float) -> tuple[int, int]:
    """(height, width) times scale, rounded half up; never less than one pixel."""
    height, width = size
    return max(int(height * scale + 0.5), 1), max(int(width * scale + 0.5), 1)


def fitting_scale(size: Sequence[int], frame: Sequence[int]) -> float:
    """The scale at which (height, width) just fits into the frame (long, short), turned
    either way.
    """
    return min(max(frame) / max(size), min(frame) / min(size))
