"""From rays to a picture: trace, shade, and once more where edges need it.

Light is one lamp near the ceiling with shadows, sunlight that falls in through the windows, and an ambient light that
fades into corners. Shading is done surface by surface: the rays are sorted by what they met, so that each material works on
one contiguous run of points.
"""

from __future__ import annotations

import numpy as np

from .furniture import Dice
from .materials import paint
from .noise import SIDE, grain
from .rays import Rays, column, dot
from .room import ACROSS, CEILING, FLOOR, Room
from .tracing import Hits, Stage, covered, panel_coordinates

EDGE = 0.18  # difference between neighbouring pixels, of 1, from which they are sampled more finely
SUBPIXELS = ((-0.35, -0.15), (0.3, -0.25), (0.05, 0.4))  # around the middle, whose colour is known already


def image_plane(room: Room, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the middles of the pixels lie on the image plane one metre before the eye: x and y, (H * W,) float32."""
    across, down = room.camera.half
    x = ((np.arange(width) + 0.5) * (2 * across / width) - across).astype(np.float32)
    y = ((np.arange(height) + 0.5) * (2 * down / height) - down).astype(np.float32)
    return np.tile(x, height), np.repeat(y, width)


def photograph(stage: Stage, hits: Hits, height: int, width: int, dice: Dice) -> np.ndarray:
    """The picture (H, W, 3) uint8 that belongs to the hits of every pixel's middle."""
    room = stage.room
    light = shade(stage, hits)
    exposure = room.exposure / average(light)
    colours = develop(light, exposure)
    edges = rough(colours.reshape(3, height, width), hits.surface.reshape(height, width))
    if edges.size:
        x, y = (place.take(edges) for place in image_plane(room, height, width))
        pixel_x, pixel_y = 2 * room.camera.half[0] / width, 2 * room.camera.half[1] / height
        fine_x = np.concatenate([x + np.float32(dx * pixel_x) for dx, _ in SUBPIXELS])
        fine_y = np.concatenate([y + np.float32(dy * pixel_y) for _, dy in SUBPIXELS])
        a, b, c = np.split(develop(shade(stage, stage.trace(fine_x, fine_y)), exposure), 3, axis=1)
        colours[:, edges] = ((colours.take(edges, axis=1) + a) + (b + c)) * np.float32(0.25)
    picture = np.ascontiguousarray(colours.T).reshape(height, width, 3) * np.float32(255)
    picture += grain(height, width, dice.below(SIDE), dice.below(SIDE)) * np.float32(2.2)
    return np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)


def develop(light: np.ndarray, exposure: float) -> np.ndarray:
    """Linear light (3, n) to screen values 0..1: bright light saturates gently, then gamma 2, a square root."""
    x = light * np.float32(exposure)
    return np.sqrt(x * (1 + x * np.float32(0.25)) / (1 + x))


def average(light: np.ndarray) -> float:
    """The mean of the light (3, n), each value capped at 2; summed in integers, where order cannot matter."""
    sample = np.minimum(light[:, ::7], np.float32(2)) * np.float32(1024)
    return int(sample.astype(np.int64).sum()) / (1024 * sample.size)


def rough(colours: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """The pixels, as flat indices, that differ much from a neighbour: colours (3, H, W), surface (H, W)."""
    tone = colours[0] * np.float32(0.3) + colours[1] * np.float32(0.6) + colours[2] * np.float32(0.1)
    edge = np.zeros(surface.shape, dtype=bool)
    for here, there in (((slice(1, None),), (slice(None, -1),)), ((slice(None), slice(1, None)), (slice(None), slice(None, -1)))):
        step = np.abs(tone[here] - tone[there]) > np.float32(EDGE)
        step |= (surface[here] != surface[there]) & (np.abs(tone[here] - tone[there]) > np.float32(EDGE / 3))
        edge[here] |= step
        edge[there] |= step
    return np.flatnonzero(edge)


def shade(stage: Stage, hits: Hits) -> np.ndarray:
    """The light (3, n) that comes from each hit to the eye, linear."""
    order = np.argsort(hits.surface, kind="stable")
    points = hits.points.take(order, axis=1)
    surface = hits.surface.take(order)
    starts = np.searchsorted(surface, np.arange(len(stage.surfaces) + 1))
    colour, normal = np.empty_like(points), np.empty_like(points)
    glow = np.zeros(surface.shape, dtype=np.float32)
    for number in np.flatnonzero(starts[1:] > starts[:-1]):
        run = slice(starts[number], starts[number + 1])
        colour[:, run], normal[:, run] = appearance(stage, int(number), points[:, run])
        glow[run] = stage.surfaces[number].material.glow
    incoming = illuminate(stage, points, normal)
    lit = colour * (incoming + glow)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return lit.take(place, axis=1)


def appearance(stage: Stage, number: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The material's colour and the surface's normal, (3, n) each, at points (3, n) of one surface."""
    surface, room = stage.surfaces[number], stage.room
    if surface.shape is not None:
        local = surface.frame.points_inward(points)
        return surface.material(local), surface.frame.outward(surface.shape.normal(local))
    if number > CEILING:
        panel = room.panels[number - CEILING - 1]
        face = panel.face
        u, v = panel_coordinates(panel, points)
    else:
        face = number
        u, v = points[1 if face < 2 else 0], points[1 if face >= FLOOR else 2]
    inward = [0.0, 0.0, 0.0]
    inward[face // 2] = -1.0 if face % 2 else 1.0
    return surface.material(np.array((u, v, np.zeros_like(u)))), column(tuple(inward))


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
        sunny = sunlit(room, points, normal)
        toward = column(room.sun.toward)
        rays = Rays(points.take(sunny, axis=1), np.repeat(toward * np.float32(9), sunny.size, axis=1))
        strength = dot(normal.take(sunny, axis=1), toward) * unshadowed(stage, rays)
        light[:, sunny] += paint(room.sun.power, strength)
    return light


def sunlit(room: Room, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The indices of those points (3, n) from which the sun can be seen through its window, past the bars."""
    window, toward = room.sun.window, room.sun.toward
    axis = window.face // 2
    gap = np.float32(room.size[axis] if window.face % 2 else 0) - points[axis]
    u, v = (
        points[row] + gap * np.float32(toward[row] / toward[axis]) - np.float32(centre)
        for row, centre in zip(ACROSS[axis], window.centre, strict=True)
    )
    u, v = np.abs(u), np.abs(v)
    through = (u < np.float32(window.half[0] - 0.06)) & (v < np.float32(window.half[1] - 0.06)) & (u > np.float32(0.025))
    return np.flatnonzero(through & (dot(normal, column(toward)) > 0))


def openness(room: Room, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """How much of the ambient light finds its way to points (3, n), (n,): less near the walls they do not belong to."""
    size = column(room.size)
    gap = np.maximum(np.minimum(points, size - points), np.float32(0)) + np.abs(normal) * np.float32(2)
    fade = (gap + np.float32(0.12)) / (gap + np.float32(0.3))
    return fade[0] * fade[1] * fade[2]


def unshadowed(stage: Stage, rays: Rays) -> np.ndarray:
    """How much of the light each ray from a point (t = 0) to the light (t = 1) can see, (n,) in 0..1.

    A ray that only grazes a solid loses only part of its light: that is what makes the edges of shadows soft.
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
        metres = np.sqrt(length.take(chosen))
        clear = visible[chosen]
        for part in thing.piece.parts:
            if part.material.glow:
                continue
            near, far = part.shape.span(local)
            crossed = np.minimum(far, np.float32(1)) - np.maximum(near, np.float32(0.004))
            softness = np.float32(0.02) + np.float32(0.06) * np.maximum(near, np.float32(0)) * metres
            clear *= 1 - np.minimum(np.fmax(crossed * metres / softness, np.float32(0)), np.float32(1))  # fmax: 0 for nan
        visible[chosen] = clear
    return visible
