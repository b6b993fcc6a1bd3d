"""What rooms and furniture are made of: a material names the colors (3, n), in linear
light, of points (3, n).

Points are in meters, in the surface's own coordinates: (across, up, 0) from the low
corner of a wall or a floor or from the middle of a panel, (x, y, z) in the frame of a
piece of furniture. A material that glows has light of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pvtseg.data.scenes.noise import clouds, speckle
from pvtseg.data.scenes.rays import column

Color = tuple[float, float, float]

WHITE: Color = (0.80, 0.79, 0.76)
DARK: Color = (0.05, 0.045, 0.04)


def paint(color: Color, tone: np.ndarray) -> np.ndarray:
    """One color, brighter and darker by `tone` (n,)."""
    return column(color) * tone


def scaled_color(color: Color, factor: float, offset: float = 0.0) -> Color:
    """Factor * color + offset."""
    red, green, blue = color
    return factor * red + offset, factor * green + offset, factor * blue + offset


def layer(below: np.ndarray, mask: np.ndarray, color: Color, tone: np.ndarray | float = 1.0) -> np.ndarray:
    """`color` wherever the mask (n,) is set, what was below elsewhere; a mask between 0
    and 1 mixes the two.
    """
    return below + (column(color) * tone - below) * mask.astype(np.float32)


def fraction(x: np.ndarray) -> np.ndarray:
    """What is left after the last whole number."""
    return x - np.floor(x)


def ramp(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """From 0 at `low` to 1 at `high`, straight between and level outside."""
    return np.minimum(np.maximum((x - low) * (1.0 / (high - low)), 0.0), 1.0)


@dataclass(frozen=True)
class Material:
    """A plain color with a little unevenness; the others are drawn over it."""

    color: Color
    unevenness: float = 0.06
    glow: float = 0.0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Colors (3, n) of the points (3, n)."""
        u, v, w = points
        return paint(self.color, 1.0 + self.unevenness * clouds((u + w) * 90.0, (v + w) * 90.0))


@dataclass(frozen=True)
class Planks(Material):
    """Floor boards along u, each of its own tone, with grain and dark joints."""

    width: float = 0.14
    length: float = 1.1

    def __call__(self, points):
        u, v, _ = points
        row = v * (1.0 / self.width)
        board = u * (1.0 / self.length) + speckle(row, row * 0.0) * 7.0
        tone = 0.72 + 0.4 * speckle(board, row) + 0.14 * clouds(u * 18.0, v * 190.0)
        joint = (np.abs(fraction(row) - 0.5) > 0.47) | (np.abs(fraction(board) - 0.5) > 0.494)
        return paint(self.color, np.where(joint, tone * 0.4, tone))


@dataclass(frozen=True)
class Tiles(Material):
    """Square tiles in two tones, or one, with grout between them."""

    second: Color = WHITE
    side: float = 0.35

    def __call__(self, points):
        u, v = points[0] * (1.0 / self.side), points[1] * (1.0 / self.side)
        tone = 0.9 + 0.14 * speckle(u, v) + 0.07 * clouds(u * 30.0, v * 30.0)
        odd = fraction((np.floor(u) + np.floor(v)) * 0.5) > 0.25
        colors = layer(paint(self.color, tone), odd, self.second, tone)
        grout = (np.abs(fraction(u) - 0.5) > 0.475) | (np.abs(fraction(v) - 0.5) > 0.475)
        return np.where(grout, colors * 0.55, colors)


@dataclass(frozen=True)
class Wall(Material):
    """Plaster, or wallpaper in broad stripes when `second` differs, above a white
    skirting board.
    """

    second: Color = WHITE
    stripe: float = 0.3

    def __call__(self, points):
        u, v, _ = points
        tone = 1.0 + 0.05 * clouds(u * 60.0, v * 60.0)
        colors = layer(paint(self.color, tone), fraction(u * (1.0 / self.stripe)) > 0.5, self.second, tone)
        return layer(colors, v < 0.09, WHITE, 1.0 - 0.45 * (v > 0.08))


@dataclass(frozen=True)
class Wood(Material):
    """Furniture wood with grain along x."""

    def __call__(self, points):
        u, v, w = points
        across = v + w
        figure = 0.16 * clouds(u * 12.0, across * 160.0) + 0.08 * clouds(u * 30.0, across * 40.0)
        return paint(self.color, 1.0 + figure)


@dataclass(frozen=True)
class Fabric(Material):
    """Upholstery: a weave, and a second color in stripes when it differs."""

    second: Color = WHITE
    stripe: float = 0.16

    def __call__(self, points):
        u, v, w = points
        tone = 0.95 + 0.14 * clouds((u + w) * 150.0, (v - w) * 150.0)
        return layer(paint(self.color, tone), fraction(u * (1.0 / self.stripe)) > 0.6, self.second, tone)


@dataclass(frozen=True)
class Doors(Material):
    """The front of a cupboard: wood, dark gaps between its doors and drawers, and a
    bright handle on each.
    """

    width: float = 0.5
    height: float = 0.6
    shift: float = 0.0  # 0.5 for an odd number of columns: then one of them is in the middle
    base: float = 0.085  # the height at which the lowest row begins
    front: float = 0.2  # where the front side lies, along y

    def __call__(self, points):
        u, v, w = points
        across = fraction(u * (1.0 / self.width) + self.shift)
        up = fraction((w - self.base) * (1.0 / self.height))
        grain = 1.0 + 0.12 * clouds((v + w) * 14.0, u * 150.0)
        facing = v > self.front - 0.01
        edge_u, edge_w = np.minimum(across, 1.0 - across) * self.width, np.minimum(up, 1.0 - up) * self.height
        edge = np.minimum(edge_u, edge_w)
        grain = np.where(facing & (edge < 0.075) & (edge > 0.06), grain * 0.72, grain)
        grain = np.where(facing & (edge < 0.014), grain * 0.22, grain)
        handle = facing & (np.abs(across - 0.5) * self.width < 0.07) & (np.abs(up - 0.8) * self.height < 0.018)
        return layer(paint(self.color, grain), handle, (0.75, 0.7, 0.55))


@dataclass(frozen=True)
class Leaves(Material):
    """Foliage: bright and dark greens in coarse patches."""

    def __call__(self, points):
        u, v, w = points
        tone = 0.9 + 0.75 * clouds((u + 0.6 * w) * 75.0, (v + 0.8 * w) * 75.0)
        return paint(self.color, np.maximum(tone, 0.12))


@dataclass(frozen=True)
class Segments(Material):
    """A beach ball: colored and white wedges around a tilted axis."""

    second: Color = WHITE

    def __call__(self, points):
        u, v, w = points
        a, b = u + 0.3 * w, v - 0.2 * w
        odd = (a > 0.0) ^ (b > 0.0) ^ (np.abs(a) > np.abs(b))
        return layer(paint(self.color, np.ones_like(u)), odd, self.second)


@dataclass(frozen=True)
class Shade(Material):
    """A lampshade lit from within, brightest halfway up."""

    height: float = 0.3
    base: float = 1.1

    def __call__(self, points):
        offset = (points[2] - self.base) * (2.0 / self.height) - 1.0
        return paint(self.color, 1.0 - 0.35 * offset * offset)
