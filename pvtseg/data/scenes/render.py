"""From rays to a picture: trace, shade, and once more where edges need it.

Shading goes surface by surface: the rays are sorted by what they met, so that each
material works on one contiguous run of points. Where neighboring pixels then differ
much, more rays through the same pixels smooth the edge.
"""

from __future__ import annotations

import numpy as np

from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.lighting import illuminate
from pvtseg.data.scenes.noise import SIDE, grain
from pvtseg.data.scenes.rays import column
from pvtseg.data.scenes.room import ACROSS, CEILING, Room
from pvtseg.data.scenes.tracing import Hits, Stage, panel_coordinates

EDGE = 0.18  # of the brightest; pixels that differ more, or a third of it across two surfaces, get more rays
SUBPIXELS = ((-0.35, -0.15), (0.3, -0.25), (0.05, 0.4))  # around the middle, whose color is known already


def image_plane(room: Room, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the middles of the pixels lie on the image plane one meter before the eye:
    x and y, (H * W,) float32.
    """
    across, down = room.camera.half
    x = ((np.arange(width) + 0.5) * (2 * across / width) - across).astype(np.float32)
    y = ((np.arange(height) + 0.5) * (2 * down / height) - down).astype(np.float32)
    return np.tile(x, height), np.repeat(y, width)


def photograph(stage: Stage, hits: Hits, height: int, width: int, draws: Draws) -> np.ndarray:
    """The picture (H, W, 3) uint8 that belongs to the hits of every pixel's middle."""
    room = stage.room
    light = shade(stage, hits)
    exposure = room.exposure / average(light)
    colors = develop(light, exposure)
    edges = rough(colors.reshape(3, height, width), hits.surface.reshape(height, width))
    if edges.size:
        x, y = (place.take(edges) for place in image_plane(room, height, width))
        pixel_x, pixel_y = 2 * room.camera.half[0] / width, 2 * room.camera.half[1] / height
        fine_x = np.concatenate([x + np.float32(dx * pixel_x) for dx, _ in SUBPIXELS])
        fine_y = np.concatenate([y + np.float32(dy * pixel_y) for _, dy in SUBPIXELS])
        a, b, c = np.split(develop(shade(stage, stage.trace(fine_x, fine_y)), exposure), 3, axis=1)
        colors[:, edges] = ((colors.take(edges, axis=1) + a) + (b + c)) * np.float32(0.25)
    picture = np.ascontiguousarray(colors.T).reshape(height, width, 3) * np.float32(255)
    picture += grain(height, width, draws.below(SIDE), draws.below(SIDE)) * np.float32(2.2)
    return np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)


def develop(light: np.ndarray, exposure: float) -> np.ndarray:
    """Linear light (3, n) to screen values 0..1: bright light saturates gently, then
    gamma 2, a square root.
    """
    x = light * np.float32(exposure)
    return np.sqrt(x * (1 + x * np.float32(0.25)) / (1 + x))


def average(light: np.ndarray) -> float:
    """The mean of the light (3, n), each value capped at 2; summed in integers, where
    order cannot matter.
    """
    sample = np.minimum(light[:, ::7], np.float32(2)) * np.float32(1024)
    return int(sample.astype(np.int64).sum()) / (1024 * sample.size)


def rough(colors: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """The pixels, as flat indices, that differ much from a neighbor: colors (3, H, W),
    surface (H, W).
    """
    tone = colors[0] * np.float32(0.3) + colors[1] * np.float32(0.6) + colors[2] * np.float32(0.1)
    edge = np.zeros(surface.shape, dtype=bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        step = np.abs(tone[here] - tone[there])
        differs = (step > np.float32(EDGE)) | ((step > np.float32(EDGE / 3)) & (surface[here] != surface[there]))
        edge[here] |= differs
        edge[there] |= differs
    return np.flatnonzero(edge)


def shade(stage: Stage, hits: Hits) -> np.ndarray:
    """The light (3, n) that comes from each hit to the eye, linear."""
    order = np.argsort(hits.surface, kind="stable")
    points = hits.points.take(order, axis=1)
    surface = hits.surface.take(order)
    starts = np.searchsorted(surface, np.arange(len(stage.surfaces) + 1)).tolist()
    color, normal = np.empty_like(points), np.empty_like(points)
    glow = np.zeros(surface.shape, dtype=np.float32)
    for look in stage.looks:
        ends = starts[look.start : look.stop + 1]
        if ends[0] < ends[-1]:
            run = slice(ends[0], ends[-1])
            material, local = stage.surfaces[look.start].material, localise(stage, look.start, points[:, run])
            color[:, run], normal[:, run] = material(local), normals(stage, look, ends, local)
            glow[run] = material.glow
    incoming = illuminate(stage, points, normal)
    lit = color * (incoming + glow)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return lit.take(place, axis=1)


def localise(stage: Stage, number: int, points: np.ndarray) -> np.ndarray:
    """Points (3, n) of one surface in the coordinates of its material."""
    surface = stage.surfaces[number]
    if surface.shape is not None:
        return surface.frame.points_inward(points)
    if number > CEILING:
        u, v = panel_coordinates(stage.room.panels[number - CEILING - 1], points)
    else:
        across, up = ACROSS[number // 2]
        u, v = points[across], points[up]
    return np.array((u, v, np.zeros_like(u)))


def normals(stage: Stage, look: range, ends: list[int], local: np.ndarray) -> np.ndarray:
    """The unit normals (3, n), or (3, 1) of a plane, at points of surfaces that look
    alike: `ends` bounds the runs.
    """
    surface = stage.surfaces[look.start]
    if surface.shape is None:
        face = stage.room.panels[look.start - CEILING - 1].face if look.start > CEILING else look.start
        inward = [0.0, 0.0, 0.0]
        inward[face // 2] = -1.0 if face % 2 else 1.0
        return column(tuple(inward))
    bounds = [end - ends[0] for end in ends]
    parts = [
        shape.normal(local[:, start:stop])
        for number, start, stop in zip(look, bounds[:-1], bounds[1:], strict=True)
        if start < stop and (shape := stage.surfaces[number].shape) is not None
    ]
    return surface.frame.outward(np.concatenate(parts, axis=1))
