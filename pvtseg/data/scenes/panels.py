"""What hangs on a wall or lies on the floor: rugs, doors, windows and pictures, each a
material that draws itself.

Points are (across, up, 0) in meters from the middle; `half` is how far the thing
reaches to each side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pvtseg.data.scenes.materials import DARK, WHITE, Color, Material, fraction, layer, paint, ramp
from pvtseg.data.scenes.noise import clouds, hills, speckle
from pvtseg.data.scenes.rays import column


@dataclass(frozen=True)
class Rug(Material):
    """A rug: checks inside a border; `round` rugs have rings instead."""

    second: Color = WHITE
    border: Color = DARK
    half: tuple[float, float] = (0.9, 0.6)
    check: float = 0.2
    round: bool = False

    def __call__(self, points):
        u, v, _ = points
        tone = 0.92 + 0.13 * clouds(u * 130.0, v * 130.0)
        if self.round:
            radius = np.sqrt(u * u + v * v)
            inset, odd = self.half[0] - radius, fraction(radius * (0.5 / self.check)) > 0.5
        else:
            inset = np.minimum(self.half[0] - np.abs(u), self.half[1] - np.abs(v))
            step = np.floor(u * (1.0 / self.check)) + np.floor(v * (1.0 / self.check))
            odd = fraction(step * 0.5) > 0.25
        colors = layer(paint(self.color, tone), odd, self.second, tone)
        return layer(colors, inset < 0.09, self.border, tone)


@dataclass(frozen=True)
class Door(Material):
    """A door in its frame: two sunken panels and a handle."""

    half: tuple[float, float] = (0.45, 1.0)

    def __call__(self, points):
        u, v, _ = points
        across = np.abs(u)
        frame = (across > self.half[0] - 0.07) | (v > self.half[1] - 0.07)
        tone = 1.0 + 0.1 * clouds(v * 14.0, u * 160.0)
        edge = np.minimum(self.half[0] - 0.17 - across, 0.36 - np.abs(np.abs(v + 0.04) - 0.44))
        tone = np.where((edge > 0.0) & (edge < 0.025), tone * 0.5, tone)
        colors = layer(paint(self.color, tone), frame, WHITE)
        gap = np.abs(np.minimum(self.half[0] - 0.07 - across, self.half[1] - 0.07 - v)) < 0.012
        handle = (np.abs(u - self.half[0] + 0.15) < 0.05) & (np.abs(v) < 0.018)
        return layer(layer(colors, gap, DARK), handle, (0.85, 0.75, 0.5))


@dataclass(frozen=True)
class Window(Material):
    """A window: sky and hills behind white bars.

    `horizon` is how far the eye is above the window's middle: rays that run level end
    at the sky's lower edge.
    """

    half: tuple[float, float] = (0.6, 0.6)
    horizon: float = 0.0
    phase: float = 0.0

    def __call__(self, points):
        u, v, _ = points
        height = v - self.horizon
        sky = ramp(height, 0.0, 1.2)
        cloud = ramp(clouds(u * 40.0 + self.phase, v * 90.0), 0.2, 1.0) * 0.5
        colors = column((1.1, 1.15, 1.2)) - column((0.72, 0.45, 0.08)) * sky * (1.0 - cloud)
        colors = layer(colors, height < 0.12 + 0.1 * hills(u * 24.0 + self.phase), (0.34, 0.5, 0.62))
        colors = layer(colors, height < 0.02 + 0.07 * hills(u * 40.0 + self.phase + 90.0), (0.2, 0.42, 0.16))
        bars = (np.abs(u) < 0.02) | (np.abs(v - 0.3 * self.half[1]) < 0.018)
        frame = (np.abs(u) > self.half[0] - 0.06) | (np.abs(v) > self.half[1] - 0.06)
        colors = layer(colors, bars | frame, (0.72, 0.72, 0.7))
        return layer(colors, v < 0.025 - self.half[1], (0.35, 0.34, 0.33))


@dataclass(frozen=True)
class Landscape(Material):
    """A framed painting of a sun over hills. `color` is the frame, `second` the sky,
    `third` the land.
    """

    half: tuple[float, float] = (0.4, 0.3)
    second: Color = WHITE
    third: Color = DARK
    phase: float = 0.0

    def __call__(self, points):
        u, v, _ = points
        x, y = u * (1.0 / self.half[0]), v * (1.0 / self.half[1])
        colors = paint(self.second, 1.25 - 0.5 * y)
        sun = (x - 0.35) * (x - 0.35) + (y - 0.3) * (y - 0.3) * 0.6
        colors = layer(colors, sun < 0.06, (1.0, 0.75, 0.35))
        for step in range(3):
            ridge = 0.25 - 0.33 * step + 0.28 * hills(x * (14.0 + 6.0 * step) + self.phase + 50.0 * step)
            colors = layer(colors, y < ridge, self.third, 0.85 - 0.27 * step)
        return framed(colors, u, v, self)


@dataclass(frozen=True)
class Abstract(Material):
    """A framed painting of colored blocks between black lines. `color` is the frame."""

    half: tuple[float, float] = (0.4, 0.3)
    second: Color = (0.6, 0.06, 0.04)
    third: Color = (0.05, 0.12, 0.5)
    phase: float = 0.0

    def __call__(self, points):
        u, v, _ = points
        x, y = u * (3.1 / self.half[0] / 2), v * (2.6 / self.half[1] / 2)
        column_shift = speckle(np.floor(x) + self.phase, x * 0.0) * 0.8
        tone = speckle(x + self.phase, y + column_shift + 8.0)
        colors = paint((0.8, 0.77, 0.68), np.ones_like(u))
        for low, color in ((0.35, self.second), (0.58, self.third), (0.8, (0.85, 0.6, 0.05))):
            colors = layer(colors, (tone > low) & (tone < low + 0.2), color)
        lines = (np.abs(fraction(x) - 0.5) > 0.45) | (np.abs(fraction(y + column_shift) - 0.5) > 0.45)
        return framed(layer(colors, lines, DARK), u, v, self)


def framed(colors: np.ndarray, u: np.ndarray, v: np.ndarray, picture: Landscape | Abstract) -> np.ndarray:
    """A painting in a white mount and a frame."""
    inset = np.minimum(picture.half[0] - np.abs(u), picture.half[1] - np.abs(v))
    colors = layer(colors, inset < 0.075, WHITE)
    return layer(colors, inset < 0.04, picture.color, 0.7 + 12.0 * inset)
