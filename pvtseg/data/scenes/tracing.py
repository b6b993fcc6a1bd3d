"""Which surface each ray meets first, and at which depth.

The room's shell is met by every ray; a panel or a thing is tried only by the rays inside its rectangle on the image plane.
Surfaces are numbered: the six faces, then the panels, then every part of every thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from .materials import Material
from .rays import Frame, Rays, column
from .room import ACROSS, CEILING, FLOOR, Camera, Panel, Room
from .shapes import Shape

NEAREST = 0.05  # metres before the eye at which a corner still has a place on the image plane


@dataclass(frozen=True)
class Surface:
    """One solid, panel or face: what it belongs to, and how to find its material's coordinates."""

    kind: str
    thing: int  # which thing it is a part of, from 1; 0 for the rest
    material: Material
    frame: Frame
    shape: Shape | None = None


@dataclass
class Hits:
    """What n rays met: depth (n,) metres along the optical axis, surface (n,) numbers, and the points (3, n)."""

    depth: np.ndarray
    surface: np.ndarray
    points: np.ndarray


class Stage:
    """A room prepared for rays."""

    def __init__(self, room: Room):
        self.room = room
        shell = [Surface("wall", 0, room.walls, Frame()) for _ in range(FLOOR)]
        shell += [Surface("floor", 0, room.floor, Frame()), Surface("ceiling", 0, room.ceiling, Frame())]
        self.surfaces = shell + [Surface(panel.kind, 0, panel.material, Frame()) for panel in room.panels]
        self.first_part = []
        for number, thing in enumerate(room.things, start=1):
            self.first_part.append(len(self.surfaces))
            for part in thing.piece.parts:
                self.surfaces.append(Surface(thing.piece.kind, number, part.material, thing.frame, part.shape))

    @cached_property
    def panel_windows(self) -> list:
        """Where on the image plane each panel can be seen."""
        return [rectangle(self.room.camera, panel_corners(panel, self.room)) for panel in self.room.panels]

    @cached_property
    def thing_windows(self) -> list:
        """Where on the image plane each thing can be seen."""
        return [rectangle(self.room.camera, thing_corners(thing)) for thing in self.room.things]

    def trace(self, x: np.ndarray, y: np.ndarray) -> Hits:
        """The first surface along each ray through (x, y) (n,) on the image plane, one metre before the eye."""
        camera = self.room.camera
        direction = column(camera.forward) + x * column(camera.right) + y * column(camera.down)
        rays = Rays(column(camera.eye), direction)
        depth, surface = self._shell(rays)
        for number, (panel, window) in enumerate(zip(self.room.panels, self.panel_windows, strict=True)):
            chosen = inside(window, x, y)
            if chosen.size:
                chosen = chosen[np.take(surface, chosen) == panel.face]
                points = rays[chosen].at(np.take(depth, chosen))
                surface[chosen[covered(panel, points)]] = CEILING + 1 + number
        for thing, first, window in zip(self.room.things, self.first_part, self.thing_windows, strict=True):
            chosen = inside(window, x, y)
            if chosen.size:
                local = thing.frame.rays_inward(rays[chosen])
                nearest, front = np.take(depth, chosen), np.take(surface, chosen)
                for number, part in enumerate(thing.piece.parts, start=first):
                    near, far = part.shape.span(local)
                    first_met = (near < far) & (near > 0) & (near < nearest)
                    nearest = np.where(first_met, near, nearest)
                    front = np.where(first_met, np.int16(number), front)
                depth[chosen], surface[chosen] = nearest, front
        return Hits(depth, surface, rays.at(depth))

    def _shell(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Depth and face, (n,) each, at which rays from inside the room meet its walls, floor or ceiling."""
        high = rays.direction > 0
        t = (np.where(high, column(self.room.size), np.float32(0)) - rays.origin) * rays.inverse
        x, y, z = t
        depth = np.minimum(np.minimum(x, y), z)
        axis = np.where(depth == x, 0, np.where(depth == y, 2, 4)).astype(np.int16)
        upper = np.where(axis == 0, high[0], np.where(axis == 2, high[1], high[2]))
        return depth, axis + upper


def covered(panel: Panel, points: np.ndarray) -> np.ndarray:
    """Which points (3, n) of its face a panel covers, (n,) bool."""
    u, v = panel_coordinates(panel, points)
    if panel.round:
        return u * u + v * v < np.float32(panel.half[0] * panel.half[0])
    return (np.abs(u) < np.float32(panel.half[0])) & (np.abs(v) < np.float32(panel.half[1]))


def panel_coordinates(panel: Panel, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far points (3, n) lie across and up from a panel's middle, (n,) and (n,)."""
    across, up = ACROSS[panel.face // 2]
    return points[across] - np.float32(panel.centre[0]), points[up] - np.float32(panel.centre[1])


def panel_corners(panel: Panel, room: Room) -> np.ndarray:
    """The four corners of a panel in the room, (3, 4)."""
    axis = panel.face // 2
    corners = np.empty((3, 4))
    corners[axis] = room.size[axis] if panel.face % 2 else 0.0
    for row, centre, half, signs in zip(ACROSS[axis], panel.centre, panel.half, ((-1, 1, -1, 1), (-1, -1, 1, 1)), strict=True):
        corners[row] = [centre + sign * half for sign in signs]
    return corners


def thing_corners(thing) -> np.ndarray:
    """The eight corners of the box around a thing, (3, 8), in the room."""
    x, y = thing.piece.half
    corners = np.array(list(product((-x, x), (-y, y), (0.0, thing.piece.height)))).T
    return thing.frame.points_outward(corners)


def rectangle(camera: Camera, corners: np.ndarray) -> tuple[float, float, float, float] | None:
    """The rectangle (left, top, right, bottom) on the image plane around corners (3, k); None if all are behind the eye."""
    x, y, z = corners - np.array(camera.eye).reshape(3, 1)
    across, down, depth = (axis[0] * x + axis[1] * y + axis[2] * z for axis in (camera.right, camera.down, camera.forward))
    if (depth < NEAREST).all():
        return None
    if (depth < NEAREST).any():
        return (-np.inf, -np.inf, np.inf, np.inf)
    u, v = across / depth, down / depth
    return float(u.min()), float(v.min()), float(u.max()), float(v.max())


def inside(window: tuple[float, float, float, float] | None, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The indices of the places (x, y) (n,) within a rectangle."""
    if window is None:
        return np.empty(0, dtype=np.intp)
    left, top, right, bottom = (np.float32(edge) for edge in window)
    return np.flatnonzero((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
