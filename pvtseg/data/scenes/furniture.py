"""The things that stand in a room: each kind is a function that draws sizes and colors
and puts solids together.

A piece stands at the origin of its own frame, on z = 0, and faces +y: from there one
sits down on a sofa or opens a cupboard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.materials import Color, Doors, Fabric, Leaves, Material, Segments, Shade, Wood, scaled_color
from pvtseg.data.scenes.rays import Point
from pvtseg.data.scenes.shapes import Box, Ellipsoid, Frustum, Shape

WOODS: tuple[Color, ...] = (
    (0.42, 0.24, 0.11), (0.26, 0.13, 0.06), (0.55, 0.38, 0.2), (0.5, 0.2, 0.09), (0.6, 0.55, 0.47),
)  # fmt: skip
FABRICS: tuple[Color, ...] = (
    (0.50, 0.09, 0.07), (0.07, 0.16, 0.38), (0.06, 0.28, 0.27), (0.33, 0.3, 0.27), (0.55, 0.33, 0.06), (0.3, 0.12, 0.3),
)  # fmt: skip
BRIGHT: tuple[Color, ...] = (
    (0.75, 0.05, 0.04), (0.04, 0.2, 0.7), (0.85, 0.5, 0.02), (0.05, 0.45, 0.12), (0.7, 0.1, 0.4),
)  # fmt: skip
METALS: tuple[Color, ...] = ((0.05, 0.05, 0.05), (0.5, 0.48, 0.45), (0.5, 0.33, 0.1))
POTS: tuple[Color, ...] = ((0.5, 0.18, 0.08), (0.7, 0.68, 0.63), (0.1, 0.2, 0.35), (0.12, 0.12, 0.12))


@dataclass(frozen=True)
class Part:
    """A solid and what it looks like."""

    shape: Shape
    material: Material


@dataclass(frozen=True)
class Piece:
    """A piece of furniture: its solids, and the box it needs: `half` along x and y, and
    how high it is.
    """

    kind: str
    parts: tuple[Part, ...]
    half: tuple[float, float]
    height: float


def slab(material: Material, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Part:
    """A box from where to where along each axis."""
    center: Point = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    half: Point = ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2)
    return Part(Box(center, half), material)


def sofa(draws: Draws) -> Piece:
    """A base, two arms, a back and a cushion for each seat; with one seat an armchair."""
    seats = 1 + draws.below(3)
    color = draws.one_of(FABRICS)
    second = draws.one_of(FABRICS) if draws.chance(0.2) else color
    cloth = Fabric(color, second=second)
    cushion = Fabric(scaled_color(color, 1.2, 0.02), second=second)
    arm, deep, seat = draws.between(0.13, 0.2), draws.between(0.4, 0.46), draws.between(0.4, 0.46)
    each = draws.between(0.54, 0.64) + (0.1 if seats == 1 else 0.0)
    half, height, sides = arm + seats * each / 2, draws.between(0.78, 0.92), draws.between(0.56, 0.64)
    parts = [
        slab(cloth, (-half, half), (-deep, deep - 0.03), (0.06, seat - 0.12)),
        slab(cloth, (-half + 0.03, half - 0.03), (-deep, 0.24 - deep), (0.06, height)),
        slab(cloth, (-half, arm - half), (-deep, deep), (0.0, sides)),
        slab(cloth, (half - arm, half), (-deep, deep), (0.0, sides)),
    ]
    for number in range(seats):
        left = arm - half + number * each
        parts.append(slab(cushion, (left + 0.012, left + each - 0.012), (0.2 - deep, deep), (seat - 0.12, seat)))
    return Piece("sofa", tuple(parts), (half, deep), height)


def table(draws: Draws) -> Piece:
    """A top on four legs, or a round top on one."""
    wood, height, thick = Wood(draws.one_of(WOODS)), draws.between(0.68, 0.78), draws.between(0.045, 0.07)
    if draws.chance(0.3):
        radius = draws.between(0.45, 0.65)
        parts = (
            Part(Frustum(0.0, 0.0, height - thick, thick, radius, radius), wood),
            Part(Frustum(0.0, 0.0, 0.04, height - thick - 0.04, 0.075, 0.045), wood),
            Part(Frustum(0.0, 0.0, 0.0, 0.05, radius * 0.6, radius * 0.5), wood),
        )
        return Piece("table", parts, (radius, radius), height)
    x, y, leg = draws.between(0.5, 0.85), draws.between(0.36, 0.5), draws.between(0.06, 0.085)
    parts = [slab(wood, (-x, x), (-y, y), (height - thick, height))]
    for left in (-x + 0.03, x - 0.03 - leg):
        for front in (-y + 0.03, y - 0.03 - leg):
            parts.append(slab(wood, (left, left + leg), (front, front + leg), (0.0, height - thick)))
    if draws.chance(0.6):
        parts.append(slab(wood, (-x + 0.06, x - 0.06), (-y + 0.05, y - 0.05), (height - thick - 0.09, height - thick)))
    return Piece("table", tuple(parts), (x, y), height)


def cupboard(draws: Draws) -> Piece:
    """A body with doors and drawers on a plinth, under a slightly wider top."""
    x, y, height = draws.between(0.4, 0.75), draws.between(0.2, 0.28), draws.between(0.8, 1.9)
    wood = draws.one_of(WOODS)
    columns, rows = max(1, int(x * 2 / 0.42)), max(2, int(height / 0.45))
    shift = 0.5 * (columns % 2)
    front = Doors(wood, width=x * 2 / columns, height=(height - 0.13) / rows, shift=shift, front=y)
    parts = (
        slab(front, (-x, x), (-y, y), (0.085, height - 0.045)),
        slab(Wood(wood), (-x - 0.025, x + 0.025), (-y, y + 0.025), (height - 0.045, height)),
        slab(Wood(scaled_color(wood, 0.35)), (-x + 0.03, x - 0.03), (-y, y - 0.04), (0.0, 0.085)),
    )
    return Piece("cupboard", parts, (x + 0.025, y + 0.025), height)


def lamp(draws: Draws) -> Piece:
    """A floor lamp: a foot, a pole, and a wide shade that glows."""
    height, shade, radius = draws.between(1.35, 1.75), draws.between(0.32, 0.42), draws.between(0.24, 0.32)
    metal = Material(draws.one_of(METALS))
    warm = draws.one_of(((1.0, 0.78, 0.45), (1.0, 0.66, 0.32), (1.0, 0.87, 0.65)))
    lit = Shade(warm, glow=draws.between(0.5, 0.8), height=shade, base=height - shade)
    parts = (
        Part(Frustum(0.0, 0.0, height - shade, shade, radius, radius * draws.between(0.55, 0.95)), lit),
        Part(Frustum(0.0, 0.0, 0.0, height - shade, 0.026, 0.022), metal),
        Part(Frustum(0.0, 0.0, 0.0, 0.035, radius * 0.75, radius * 0.68), metal),
    )
    return Piece("lamp", parts, (radius, radius), height)


def plant(draws: Draws) -> Piece:
    """A pot, and foliage of several overlapping tufts."""
    green = draws.one_of(((0.08, 0.3, 0.05), (0.14, 0.36, 0.06), (0.05, 0.26, 0.1)))
    leaves, pot = Leaves(green), Material(draws.one_of(POTS))
    base, radius, spread = draws.between(0.28, 0.4), draws.between(0.17, 0.24), draws.between(0.3, 0.42)
    tall = draws.between(0.55, 0.9)
    parts = [
        Part(Frustum(0.0, 0.0, 0.0, base, radius * 0.72, radius), pot),
        Part(Ellipsoid((0.0, 0.0, base + 0.5 * tall), (0.62 * spread, 0.62 * spread, 0.5 * tall)), leaves),
    ]
    for x, y in ((1, 0), (-1, 0.3), (0.1, 1), (-0.2, -1), (0.6, 0.7), (-0.7, -0.6)):
        size, lift = draws.between(0.36, 0.5), draws.between(0.25, 0.75)
        center = (x * spread * (1 - size), y * spread * (1 - size), base + lift * tall)
        parts.append(Part(Ellipsoid(center, (size * spread, size * spread, draws.between(0.16, 0.26) * tall)), leaves))
    return Piece("plant", tuple(parts), (spread * 1.05, spread * 1.05), base + tall)


def ball(draws: Draws) -> Piece:
    """A big ball in wedges of two colors."""
    radius = draws.between(0.27, 0.38)
    color = draws.one_of(BRIGHT)
    skin = Segments(color, second=draws.one_of(((0.8, 0.8, 0.78), (0.8, 0.7, 0.1))))
    centerd = Part(Ellipsoid((0.0, 0.0, radius), (radius, radius, radius)), skin)
    return Piece("ball", (centerd,), (radius, radius), radius * 2)


MAKERS: dict[str, Callable[[Draws], Piece]] = {
    "sofa": sofa, "table": table, "cupboard": cupboard, "lamp": lamp, "plant": plant, "ball": ball,
}  # fmt: skip
