"""Where things may stand: inside the room, apart from each other, off the doors, and
out of the camera's way.
"""

from __future__ import annotations

import math

from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.furniture import Piece
from pvtseg.data.scenes.rays import Frame, Point, unit
from pvtseg.data.scenes.room import Camera, Panel, Thing

SOLID = {"sofa": 0.9, "table": 0.6, "cupboard": 0.9, "lamp": 0.45, "plant": 0.6, "ball": 0.75}  # of its sides


def stand(draws: Draws, piece: Piece, size: Point) -> Thing:
    """A place for a piece: sofas and cupboards with their backs to a wall, the rest
    anywhere, at any angle.
    """
    if piece.kind in ("sofa", "cupboard"):
        return against_wall(draws, piece, size)
    facing = unit((draws.between(-1, 1), draws.between(0, 1) + 1e-6, 0.0))[:2]
    margin = reach(piece) + 0.1
    spot = (draws.between(margin, size[0] - margin), draws.between(margin, size[1] - margin), 0.0)
    return Thing(piece, Frame(spot, facing))


def against_wall(draws: Draws, piece: Piece, size: Point) -> Thing:
    """A piece with its back to some wall."""
    face = draws.below(4)
    along = draws.between(piece.half[0] + 0.1, size[1 if face < 2 else 0] - piece.half[0] - 0.1)
    gap = piece.half[1] + 0.04
    spot, facing = (
        ((gap, along, 0.0), (0.0, -1.0)),
        ((size[0] - gap, along, 0.0), (0.0, 1.0)),
        ((along, gap, 0.0), (1.0, 0.0)),
        ((along, size[1] - gap, 0.0), (-1.0, 0.0)),
    )[face]
    return Thing(piece, Frame(spot, facing))


def apart(thing: Thing, other: Thing) -> bool:
    """Whether two things surely do not touch, however they are turned."""
    return distance(thing.frame.position, other.frame.position) > reach(thing.piece) + reach(other.piece) + 0.05


def hides(thing: Thing, panels: list[Panel], size: Point) -> bool:
    """Whether a thing stands right in front of a door, or is so tall that it hides a
    window or picture behind it.
    """
    position, near, height = thing.frame.position, reach(thing.piece) + 0.2, thing.piece.height
    gaps = (position[0], size[0] - position[0], position[1], size[1] - position[1])
    return any(
        gaps[panel.face] < near
        and height > panel.center[1] - panel.half[1]
        and abs(position[1 - panel.face // 2] - panel.center[0]) < thing.piece.half[0] + panel.half[0]
        for panel in panels
    )


def clear_of(camera: Camera, thing: Thing, star: Thing) -> bool:
    """Whether a thing is in view, in the way of neither camera nor the thing in the
    middle, and looks much smaller.
    """
    x, y = (thing.frame.position[axis] - camera.eye[axis] for axis in (0, 1))
    ahead, aside = x * camera.forward[0] + y * camera.forward[1], x * camera.right[0] + y * camera.right[1]
    near, middle = distance(camera.eye, thing.frame.position), distance(camera.eye, star.frame.position)
    in_view = abs(aside) < camera.half[0] * ahead and near > reach(thing.piece) + 0.7
    in_front = near < middle and abs(aside) < reach(thing.piece) + reach(star.piece) * near / middle
    small = face_area(thing.piece) * middle * middle * 1.8 < face_area(star.piece) * near * near
    return in_view and small and not in_front


def face_area(piece: Piece) -> float:
    """About how many square meters of a piece one sees from one side."""
    return (piece.half[0] + piece.half[1]) * piece.height * SOLID[piece.kind]


def reach(piece: Piece) -> float:
    """How far from its middle a piece goes, at any angle."""
    return math.sqrt(piece.half[0] * piece.half[0] + piece.half[1] * piece.half[1])


def distance(a: Point, b: Point) -> float:
    """How far apart two points are on the floor plan."""
    return math.sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]))
