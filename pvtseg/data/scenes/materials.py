"""What surfaces look like: a material names the colour (3, n), linear light, of points (3, n).

Points are in the surface's own coordinates, in metres: (across, up, 0) from the middle of a wall, a rug or a picture, and
from the floor's middle of a piece of furniture. A material with a `glow` gives light of its own, lit or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import clouds, hills, speckle
from .rays import column

Colour = tuple[float, float, float]

WHITE: Colour = (0.80, 0.79, 0.76)
DARK: Colour = (0.05, 0.045, 0.04)


def paint(colour: Colour, tone: np.ndarray) -> np.ndarray:
    """One colour, brighter and darker by `tone` (n,)."""
    return column(colour) * tone


def layer(below: np.ndarray, mask: np.ndarray, colour: Colour, tone: np.ndarray | float = 1.0) -> np.ndarray:
    """`colour` wherever the mask (n,) is set, what was below elsewhere; a mask between 0 and 1 mixes the two."""
    return below + (column(colour) * tone - below) * mask.astype(np.float32)


def fraction(x: np.ndarray) -> np.ndarray:
    """What is left after the last whole number."""
    return x - np.floor(x)


def ramp(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """From 0 at `low` to 1 at `high`, straight between and level outside."""
    return np.minimum(np.maximum((x - low) * (1.0 / (high - low)), 0.0), 1.0)


@dataclass(frozen=True)
class Material:
    """A plain colour with a little unevenness; the others are drawn over it."""

    colour: Colour
    unevenness: float = 0.06
    glow: float = 0.0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Colours (3, n) of the points (3, n)."""
        u, v, w = points
        return paint(self.colour, 1.0 + self.unevenness * clouds((u + w) * 90.0, (v + w) * 90.0))


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
        return paint(self.colour, np.where(joint, tone * 0.4, tone))


@dataclass(frozen=True)
class Tiles(Material):
    """Square tiles in two tones, or one, with grout between them."""

    second: Colour = WHITE
    side: float = 0.35

    def __call__(self, points):
        u, v = points[0] * (1.0 / self.side), points[1] * (1.0 / self.side)
        tone = 0.9 + 0.14 * speckle(u, v) + 0.07 * clouds(u * 30.0, v * 30.0)
        odd = fraction((np.floor(u) + np.floor(v)) * 0.5) > 0.25
        colours = layer(paint(self.colour, tone), odd, self.second, tone)
        grout = (np.abs(fraction(u) - 0.5) > 0.475) | (np.abs(fraction(v) - 0.5) > 0.475)
        return np.where(grout, colours * 0.55, colours)


@dataclass(frozen=True)
class Wall(Material):
    """Plaster, or wallpaper in broad stripes when `second` differs, above a white skirting board."""

    second: Colour = WHITE
    stripe: float = 0.3

    def __call__(self, points):
        u, v, _ = points
        tone = 1.0 + 0.05 * clouds(u * 60.0, v * 60.0)
        colours = layer(paint(self.colour, tone), fraction(u * (1.0 / self.stripe)) > 0.5, self.second, tone)
        return layer(colours, v < 0.09, WHITE, 1.0 - 0.45 * (v > 0.08))


@dataclass(frozen=True)
class Wood(Material):
    """Furniture wood with grain along x."""

    def __call__(self, points):
        u, v, w = points
        across = v + w
        return paint(self.colour, 1.0 + 0.16 * clouds(u * 12.0, across * 160.0) + 0.08 * clouds(u * 30.0, across * 40.0))


@dataclass(frozen=True)
class Fabric(Material):
    """Upholstery: a weave, and a second colour in stripes when it differs."""

    second: Colour = WHITE
    stripe: float = 0.16

    def __call__(self, points):
        u, v, w = points
        tone = 0.95 + 0.14 * clouds((u + w) * 150.0, (v - w) * 150.0)
        return layer(paint(self.colour, tone), fraction(u * (1.0 / self.stripe)) > 0.6, self.second, tone)


@dataclass(frozen=True)
class Doors(Material):
    """The front of a cupboard: wood, dark gaps between its doors and drawers, and a bright handle on each."""

    width: float = 0.5
    height: float = 0.6
    front: float = 0.2  # where the front side lies, along y

    def __call__(self, points):
        u, v, w = points
        across, up = fraction(u * (1.0 / self.width) + 0.5), fraction(w * (1.0 / self.height))
        grain = 1.0 + 0.12 * clouds((v + w) * 14.0, u * 150.0)
        facing = v > self.front - 0.01
        edge_u, edge_w = np.minimum(across, 1.0 - across) * self.width, np.minimum(up, 1.0 - up) * self.height
        edge = np.minimum(edge_u, edge_w)
        grain = np.where(facing & (edge < 0.075) & (edge > 0.06), grain * 0.72, grain)
        grain = np.where(facing & (edge < 0.014), grain * 0.22, grain)
        handle = facing & (np.abs(across - 0.5) * self.width < 0.07) & (np.abs(up - 0.8) * self.height < 0.018)
        return layer(paint(self.colour, grain), handle, (0.75, 0.7, 0.55))


@dataclass(frozen=True)
class Leaves(Material):
    """Foliage: bright and dark greens in coarse patches."""

    def __call__(self, points):
        u, v, w = points
        tone = 0.9 + 0.75 * clouds((u + 0.6 * w) * 75.0, (v + 0.8 * w) * 75.0)
        return paint(self.colour, np.maximum(tone, 0.12))


@dataclass(frozen=True)
class Segments(Material):
    """A beach ball: coloured and white wedges around a tilted axis."""

    second: Colour = WHITE

    def __call__(self, points):
        u, v, w = points
        a, b = u + 0.3 * w, v - 0.2 * w
        odd = (a > 0.0) ^ (b > 0.0) ^ (np.abs(a) > np.abs(b))
        return layer(paint(self.colour, np.ones_like(u)), odd, self.second)


@dataclass(frozen=True)
class Shade(Material):
    """A lampshade lit from within, brightest halfway up."""

    height: float = 0.3
    base: float = 1.1

    def __call__(self, points):
        offset = (points[2] - self.base) * (2.0 / self.height) - 1.0
        return paint(self.colour, 1.0 - 0.35 * offset * offset)


@dataclass(frozen=True)
class Rug(Material):
    """A rug: checks inside a border; `round` rugs have rings instead."""

    second: Colour = WHITE
    border: Colour = DARK
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
        colours = layer(paint(self.colour, tone), odd, self.second, tone)
        return layer(colours, inset < 0.09, self.border, tone)


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
        colours = layer(paint(self.colour, tone), frame, WHITE)
        gap = np.abs(np.minimum(self.half[0] - 0.07 - across, self.half[1] - 0.07 - v)) < 0.012
        handle = (np.abs(u - self.half[0] + 0.15) < 0.05) & (np.abs(v) < 0.018)
        return layer(layer(colours, gap, DARK), handle, (0.85, 0.75, 0.5))


@dataclass(frozen=True)
class Window(Material):
    """A window: sky and hills behind white bars. `horizon` is the eye's height over the middle, where the sky must end."""

    half: tuple[float, float] = (0.6, 0.6)
    horizon: float = 0.0
    phase: float = 0.0

    def __call__(self, points):
        u, v, _ = points
        height = v - self.horizon
        sky = ramp(height, 0.0, 1.2)
        cloud = ramp(clouds(u * 40.0 + self.phase, v * 90.0), 0.2, 1.0) * 0.5
        colours = column((1.1, 1.15, 1.2)) - column((0.72, 0.45, 0.08)) * sky * (1.0 - cloud)
        colours = layer(colours, height < 0.12 + 0.1 * hills(u * 24.0 + self.phase), (0.34, 0.5, 0.62))
        colours = layer(colours, height < 0.02 + 0.07 * hills(u * 40.0 + self.phase + 90.0), (0.2, 0.42, 0.16))
        bars = (np.abs(u) < 0.02) | (np.abs(v - 0.3 * self.half[1]) < 0.018)
        frame = (np.abs(u) > self.half[0] - 0.06) | (np.abs(v) > self.half[1] - 0.06)
        colours = layer(colours, bars | frame, (0.72, 0.72, 0.7))
        return layer(colours, v < 0.025 - self.half[1], (0.35, 0.34, 0.33))


@dataclass(frozen=True)
class Landscape(Material):
    """A framed painting of a sun over hills. `colour` is the frame, `second` the sky, `third` the land."""

    half: tuple[float, float] = (0.4, 0.3)
    second: Colour = WHITE
    third: Colour = DARK
    phase: float = 0.0

    def __call__(self, points):
        u, v, _ = points
        x, y = u * (1.0 / self.half[0]), v * (1.0 / self.half[1])
        colours = paint(self.second, 1.25 - 0.5 * y)
        sun = (x - 0.35) * (x - 0.35) + (y - 0.3) * (y - 0.3) * 0.6
        colours = layer(colours, sun < 0.06, (1.0, 0.75, 0.35))
        for step in range(3):
            ridge = 0.25 - 0.33 * step + 0.28 * hills(x * (14.0 + 6.0 * step) + self.phase + 50.0 * step)
            colours = layer(colours, y < ridge, self.third, 0.85 - 0.27 * step)
        return framed(colours, u, v, self)


@dataclass(frozen=True)
class Abstract(Material):
    """A framed painting of coloured blocks between black lines. `colour` is the frame."""

    half: tuple[float, float] = (0.4, 0.3)
    second: Colour = (0.6, 0.06, 0.04)
    third: Colour = (0.05, 0.12, 0.5)
    phase: float = 0.0

    def __call__(self, points):
        u, v, _ = points
        x, y = u * (3.1 / self.half[0] / 2), v * (2.6 / self.half[1] / 2)
        column_shift = speckle(np.floor(x) + self.phase, x * 0.0) * 0.8
        tone = speckle(x + self.phase, y + column_shift + 8.0)
        colours = paint((0.8, 0.77, 0.68), np.ones_like(u))
        for low, colour in ((0.35, self.second), (0.58, self.third), (0.8, (0.85, 0.6, 0.05))):
            colours = layer(colours, (tone > low) & (tone < low + 0.2), colour)
        lines = (np.abs(fraction(x) - 0.5) > 0.45) | (np.abs(fraction(y + column_shift) - 0.5) > 0.45)
        return framed(layer(colours, lines, DARK), u, v, self)


def framed(colours: np.ndarray, u: np.ndarray, v: np.ndarray, picture: Landscape | Abstract) -> np.ndarray:
    """A painting in a white mount and a frame."""
    inset = np.minimum(picture.half[0] - np.abs(u), picture.half[1] - np.abs(v))
    colours = layer(colours, inset < 0.075, WHITE)
    return layer(colours, inset < 0.04, picture.colour, 0.7 + 12.0 * inset)
