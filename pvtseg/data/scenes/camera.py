"""Where the camera stands and how it is aimed."""

from __future__ import annotations

import math

from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.placing import face_area, reach
from pvtseg.data.scenes.rays import Point, unit
from pvtseg.data.scenes.room import Camera, Thing

WALL_GAP = 0.5  # meters the eye keeps from the walls: what it sees of them is then deeper than 0.3 m


def look(draws: Draws, star: Thing, size: Point, aspect: float) -> Camera | None:
    """A camera with the thing in the middle at a good size, from where the view goes
    deepest; None if there is no room.

    `aspect` is the image's width over its height.
    """
    longer = draws.between(0.66, 0.84)
    half = (longer, longer / aspect) if aspect >= 1 else (longer * aspect, longer)
    piece, spot, (cosine, sine) = star.piece, star.frame.position, star.frame.facing
    best, deepest = None, 0.0
    for _ in range(16):
        away = math.sqrt(face_area(piece) / (draws.between(0.05, 0.12) * 4 * half[0] * half[1]))
        away = min(max(away, reach(piece) + 0.9), 4.8)
        x, y, _ = unit((draws.between(-1, 1) + 1e-6, draws.between(-1, 1) + 1e-6, 0.0))
        eye = (spot[0] + away * x, spot[1] + away * y)
        inside = all(WALL_GAP < eye[axis] < size[axis] - WALL_GAP for axis in (0, 1))
        before = y * cosine - x * sine > 0.25 or piece.kind not in ("sofa", "cupboard")
        if inside and before:
            to_wall = (eye[0] - (0.0 if x > 0 else size[0])) / x, (eye[1] - (0.0 if y > 0 else size[1])) / y
            if (depth := min(to_wall)) > deepest:
                best, deepest = (*eye, x, y, away), depth
    if best is None:
        return None
    eye_x, eye_y, x, y, away = best
    height, shift = draws.between(0.95, 1.5), draws.between(-0.2, 0.2) * away * half[0]
    drop = max(draws.between(-0.02, 0.12), height / away - 0.9 * half[1])  # enough to keep the thing's foot in view
    return aimed((eye_x, eye_y, height), (spot[0] - y * shift, spot[1] + x * shift, height - away * drop), half)


def aimed(eye: Point, aim: Point, half: tuple[float, float]) -> Camera:
    """A camera at `eye` that looks at `aim` and holds its horizon level."""
    forward = unit((aim[0] - eye[0], aim[1] - eye[1], aim[2] - eye[2]))
    right = unit((forward[1], -forward[0], 0.0))
    down = (
        forward[1] * right[2] - forward[2] * right[1],
        forward[2] * right[0] - forward[0] * right[2],
        forward[0] * right[1] - forward[1] * right[0],
    )
    return Camera(eye, forward, right, down, half)
