"""Which surface each ray meets first, and at which depth.

Every ray meets the room's shell; only those inside its rectangle on the image plane try
a panel or a thing. Surfaces are numbered: the six faces, then the panels, then every
part of every thing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product

import numpy as np

from pvtseg.data.scenes.materials import Material
from pvtseg.data.scenes.rays import Frame, Point, Rays, column
from pvtseg.data.scenes.room import ACROSS, CEILING, FLOOR, Camera, Panel, Room, Thing
from pvtseg.data.scenes.shapes import Shape

NEAREST = 0.05  # meters before the eye at which a corner still has a place on the image plane
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom on the image plane
EVERYWHERE: Rectangle = (-math.inf, -math.inf, math.inf, math.inf)


@dataclass(frozen=True)
class Surface:
    """One solid, panel or face: what it belongs to, and how to find its material's
    coordinates.
    """

    kind: str
    thing: int  # which thing it is a part of, from 1; 0 for the rest
    material: Material
    frame: Frame
    shape: Shape | None = None


@dataclass
class Hits:
    """What n rays met: depth (n,) meters along the optical axis, surface (n,) numbers,
    and the points (3, n).
    """

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
        self.looks = self._looks()

    def _looks(self) -> list[range]:
        """The numbers of the surfaces in runs of equal looks: the neighboring parts of
        one thing in one material.
        """
        firsts = [0]
        for number, (before, surface) in enumerate(pairwise(self.surfaces), start=1):
            if surface.thing == 0 or surface.thing != before.thing or surface.material is not before.material:
                firsts.append(number)
        return [range(*ends) for ends in pairwise([*firsts, len(self.surfaces)])]

    @cached_property
    def panel_windows(self) -> list[Rectangle | None]:
        """Where on the image plane each panel can be seen."""
        return [rectangle(self.room.camera, panel_corners(panel, self.room)) for panel in self.room.panels]

    @cached_property
    def thing_windows(self) -> list[Rectangle | None]:
        """Where on the image plane each thing can be seen."""
        return [rectangle(self.room.camera, thing_corners(thing)) for thing in self.room.things]

    def trace(self, x: np.ndarray, y: np.ndarray) -> Hits:
        """The first surface along each ray through (x, y) (n,) on the image plane, one
        meter before the eye.
        """
        rays = self.rays(x, y)
        depth, surface = self._shell(rays)
        self._panels(rays, x, y, depth, surface)
        self.things(rays, x, y, depth, surface)
        return Hits(depth, surface, rays.at(depth))

    def rays(self, x: np.ndarray, y: np.ndarray) -> Rays:
        """The camera's rays through (x, y) (n,) on the image plane."""
        camera = self.room.camera
        return Rays(column(camera.eye), column(camera.forward) + x * column(camera.right) + y * column(camera.down))

    def things(self, rays: Rays, x: np.ndarray, y: np.ndarray, depth: np.ndarray, surface: np.ndarray) -> None:
        """Puts the things in front: changes depth and surface (n,) wherever a part of
        one is nearer.
        """
        for thing, first, window in zip(self.room.things, self.first_part, self.thing_windows, strict=True):
            chosen = inside(window, x, y)
            if not chosen.size:
                continue
            local = thing.frame.rays_inward(rays[chosen])
            nearest, front = depth.take(chosen), surface.take(chosen)
            for number, part in enumerate(thing.piece.parts, start=first):
                near, far = part.shape.span(local)
                met = (near < far) & (near > 0) & (near < nearest)
                nearest = np.where(met, near, nearest)
                front = np.where(met, np.int16(number), front)
            depth[chosen], surface[chosen] = nearest, front

    def _panels(self, rays: Rays, x: np.ndarray, y: np.ndarray, depth: np.ndarray, surface: np.ndarray) -> None:
        """Lays the panels on the shell: changes surface (n,) where one covers the face
        that was met.
        """
        numbers = range(CEILING + 1, CEILING + 1 + len(self.room.panels))
        for number, panel, window in zip(numbers, self.room.panels, self.panel_windows, strict=True):
            chosen = inside(window, x, y)
            chosen = chosen[surface.take(chosen) == panel.face]
            if chosen.size:
                points = rays[chosen].at(depth.take(chosen))
                surface[chosen[covered(panel, points)]] = number

    def _shell(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Depth and face, (n,) each, at which rays from inside the room meet its walls,
        floor or ceiling.
        """
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
    return points[across] - np.float32(panel.center[0]), points[up] - np.float32(panel.center[1])


def panel_corners(panel: Panel, room: Room) -> list[Point]:
    """The four corners of a panel in the room."""
    axis = panel.face // 2
    corners = []
    for across, up in product((-1, 1), repeat=2):
        corner = [panel.center[0] + across * panel.half[0], panel.center[1] + up * panel.half[1]]
        corner.insert(axis, room.size[axis] if panel.face % 2 else 0.0)
        corners.append(tuple(corner))
    return corners


def thing_corners(thing: Thing) -> list[Point]:
    """The eight corners of the box around a thing, in the room."""
    (x, y, _), (cosine, sine), half = thing.frame.position, thing.frame.facing, thing.piece.half
    plan = [(across * half[0], along * half[1]) for across, along in product((-1, 1), repeat=2)]
    turned = [(x + cosine * u - sine * v, y + sine * u + cosine * v) for u, v in plan]
    return [(*corner, height) for corner in turned for height in (0.0, thing.piece.height)]


def rectangle(camera: Camera, corners: list[Point]) -> Rectangle | None:
    """The rectangle (left, top, right, bottom) on the image plane around some corners;
    None if it is out of view.
    """
    places = []
    for corner in corners:
        x, y, z = (c - e for c, e in zip(corner, camera.eye, strict=True))
        across, down, depth = (a * x + b * y + c * z for a, b, c in (camera.right, camera.down, camera.forward))
        places.append((across / depth, down / depth) if depth > NEAREST else None)
    if None in places:
        return EVERYWHERE if any(places) else None
    across, down = zip(*places, strict=True)
    left, top, right, bottom = min(across), min(down), max(across), max(down)
    hidden = right < -camera.half[0] or left > camera.half[0] or bottom < -camera.half[1] or top > camera.half[1]
    return None if hidden else (left, top, right, bottom)


def inside(window: Rectangle | None, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The indices of the places (x, y) (n,) within a rectangle."""
    if window is None:
        return np.empty(0, dtype=np.intp)
    left, top, right, bottom = (np.float32(edge) for edge in window)
    return np.flatnonzero((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
