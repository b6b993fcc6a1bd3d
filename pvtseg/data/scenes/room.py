"""What is in a room: its size and surfaces, what hangs on the walls, what stands where,
and who is looking.

A room fills x from 0 to its width, y from 0 to its depth and z from 0 to its height.
Its six faces are numbered two to an axis, low side first: 0 and 1 are the walls across
x, 2 and 3 those across y, 4 the floor and 5 the ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvtseg.data.scenes.furniture import Piece
from pvtseg.data.scenes.materials import Color, Material
from pvtseg.data.scenes.rays import Frame, Point

FLOOR, CEILING = 4, 5
ACROSS = ((1, 2), (0, 2), (0, 1))  # the two axes that span a face, by the axis it cuts


@dataclass(frozen=True)
class Panel:
    """Something flat on a face: a door, window, picture or rug. `center` is its middle
    along the face's two axes.
    """

    kind: str
    face: int
    center: tuple[float, float]
    half: tuple[float, float]
    material: Material
    round: bool = False


@dataclass(frozen=True)
class Thing:
    """A piece of furniture that stands somewhere and faces some way."""

    piece: Piece
    frame: Frame


@dataclass(frozen=True)
class Camera:
    """An eye, its unit vectors ahead, to the right and down, and half of what it sees
    at a depth of one meter.
    """

    eye: Point
    forward: Point
    right: Point
    down: Point
    half: tuple[float, float]  # (across, down), meters


@dataclass(frozen=True)
class Light:
    """A point that shines: where, and how brightly at one meter in each color."""

    position: Point
    power: Color


@dataclass(frozen=True)
class Sun:
    """Sunlight that falls in through one window: the unit vector towards the sun, and
    its power.
    """

    window: Panel
    toward: Point
    power: Color


@dataclass(frozen=True)
class Room:
    """Everything there is to see, from where, and in what light."""

    size: Point
    walls: Material
    floor: Material
    ceiling: Material
    panels: tuple[Panel, ...]
    things: tuple[Thing, ...]
    camera: Camera
    light: Light
    sun: Sun | None
    ambient: Color
    exposure: float
