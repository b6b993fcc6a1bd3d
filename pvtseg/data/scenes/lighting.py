"""How much light arrives: from a lamp near the ceiling, from the sun through one
window, and from everywhere.

The ambient light fades into corners. The others cast shadows.
"""

from __future__ import annotations

import numpy as np

from pvtseg.data.scenes.materials import paint
from pvtseg.data.scenes.rays import Rays, column, dot
from pvtseg.data.scenes.room import ACROSS, Room, Sun
from pvtseg.data.scenes.tracing import Stage


def illuminate(stage: Stage, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The light (3, n) that arrives at points with these normals, (3, n) each."""
    room = stage.room
    way = column(room.light.position) - points
    square = dot(way, way)
    facing = np.maximum(dot(normal, way), np.float32(0)) / np.sqrt(square)
    strength = facing / (square + np.float32(1.2))
    lit = np.flatnonzero(facing > 0)
    strength[lit] *= unshadowed(stage, Rays(points.take(lit, axis=1), way.take(lit, axis=1)))
    sky = (np.float32(0.9) + np.float32(0.1) * normal[2]) * openness(room, points, normal)
    light = paint(room.light.power, strength) + paint(room.ambient, sky)
    if room.sun:
        sunny = sunlit(room, room.sun, points, normal)
        toward = column(room.sun.toward)
        rays = Rays(points.take(sunny, axis=1), np.repeat(toward * np.float32(9), sunny.size, axis=1))
        strength = dot(normal.take(sunny, axis=1), toward) * unshadowed(stage, rays)
        light[:, sunny] += paint(room.sun.power, strength)
    return light


def sunlit(room: Room, sun: Sun, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The indices of those points (3, n) from which the sun can be seen through its
    window, past the bars.
    """
    window, toward = sun.window, sun.toward
    axis = window.face // 2
    gap = np.float32(room.size[axis] if window.face % 2 else 0) - points[axis]
    u, v = (
        points[row] + gap * np.float32(toward[row] / toward[axis]) - np.float32(center)
        for row, center in zip(ACROSS[axis], window.center, strict=True)
    )
    u, v = np.abs(u), np.abs(v)
    through = (
        (u > np.float32(0.025)) & (u < np.float32(window.half[0] - 0.06)) & (v < np.float32(window.half[1] - 0.06))
    )
    return np.flatnonzero(through & (dot(normal, column(toward)) > 0))


def openness(room: Room, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """How much of the ambient light finds its way to points (3, n), (n,): less near the
    walls they do not belong to.
    """
    size = column(room.size)
    gap = np.maximum(np.minimum(points, size - points), np.float32(0)) + np.abs(normal) * np.float32(2)
    fade = (gap + np.float32(0.12)) / (gap + np.float32(0.3))
    return fade[0] * fade[1] * fade[2]


def unshadowed(stage: Stage, rays: Rays) -> np.ndarray:
    """How much of the light each ray from a point (t = 0) to the light (t = 1) can see,
    (n,) in 0..1.

    A ray that only grazes a solid loses only part of its light: that is what makes the
    edges of shadows soft.
    """
    visible = np.ones(rays.direction.shape[1], dtype=np.float32)
    length = dot(rays.direction, rays.direction)
    for thing in stage.room.things:
        half = thing.piece.height / 2
        x, y, _ = thing.frame.position
        radius = thing.piece.half[0] * thing.piece.half[0] + thing.piece.half[1] * thing.piece.half[1] + half * half
        toward = column((x, y, half)) - rays.origin
        along = dot(toward, rays.direction)
        aside = dot(toward, toward) - along * along / length
        chosen = np.flatnonzero(aside < np.float32(radius))
        if not chosen.size:
            continue
        local = thing.frame.rays_inward(rays[chosen])
        meters = np.sqrt(length.take(chosen))
        clear = visible[chosen]
        for part in thing.piece.parts:
            if part.material.glow:
                continue
            near, far = part.shape.span(local)
            crossed = np.minimum(far, np.float32(1)) - np.maximum(near, np.float32(0.004))
            softness = np.float32(0.02) + np.float32(0.06) * np.maximum(near, np.float32(0)) * meters
            lost = np.fmax(
                crossed * meters / softness, np.float32(0)
            )  # fmax takes the 0 where the ray met nothing: nan
            clear *= 1 - np.minimum(lost, np.float32(1))
        visible[chosen] = clear
    return visible
