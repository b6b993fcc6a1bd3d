"""One scene: a room drawn at random, its picture, and everything known about each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pvtseg.data.scenes.composing import compose
from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.labels import CLASSES, KINDS
from pvtseg.data.scenes.render import image_plane, photograph
from pvtseg.data.scenes.room import Room
from pvtseg.data.scenes.tracing import Hits, Stage


@dataclass(frozen=True)
class Scene:
    """One photograph and everything known about it, all from the same rays.

    image (H, W, 3) uint8 RGB. segmentation_map (H, W) uint8: indices into CLASSES.
    depth (H, W) float32: meters along the optical axis (planar, as a depth camera
    reports it), valid everywhere and within 0.3 to 10. instances (H, W) uint16: the
    things that are seen, from 1; 0 elsewhere. boxes (N, 4) float32: x1, y1, x2, y2
    around the visible pixels of the instances 1 to N, x2 and y2 exclusive. box_labels
    (N,) int64: indices into CLASSES. label: the index into KINDS of the thing in the
    middle, which covers far more of the image (1.4 times at the very least) than any
    other kind.
    """

    image: np.ndarray
    segmentation_map: np.ndarray
    depth: np.ndarray
    instances: np.ndarray
    boxes: np.ndarray
    box_labels: np.ndarray
    label: int
    room: Room


def draw_scene(draws: Draws, label: int, height: int, width: int) -> Scene:
    """A scene about the KINDS[label], in an image of height × width pixels."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a ray past a round solid meets it at nan, see shapes
        stage = compose(draws, KINDS[label], width / height)
        hits = stage.trace(*image_plane(stage.room, height, width))
        image = photograph(stage, hits, height, width, draws)
    classes, things = classify_pixels(stage, hits)
    instances, boxes, numbers = number_things(things.reshape(height, width))
    return Scene(
        image=image,
        segmentation_map=classes.reshape(height, width),
        depth=hits.depth.reshape(height, width),
        instances=instances,
        boxes=boxes,
        box_labels=np.array([CLASSES.index(stage.room.things[n - 1].piece.kind) for n in numbers], dtype=np.int64),
        label=label,
        room=stage.room,
    )


def classify_pixels(stage: Stage, hits: Hits) -> tuple[np.ndarray, np.ndarray]:
    """The class index (n,) uint8 and the number of the thing (n,) uint16 of every hit."""
    kinds = np.array([CLASSES.index(surface.kind) for surface in stage.surfaces], dtype=np.uint8)
    things = np.array([surface.thing for surface in stage.surfaces], dtype=np.uint16)
    return np.take(kinds, hits.surface), np.take(things, hits.surface)


def number_things(things: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Numbers the things that are seen from 1 on: the map (H, W), their boxes (N, 4),
    and which things they are.
    """
    seen = [int(number) for number in np.flatnonzero(np.bincount(things.ravel())) if number]
    renumber = np.zeros(max(seen, default=0) + 1, dtype=np.uint16)
    boxes = np.zeros((len(seen), 4), dtype=np.float32)
    for new, number in enumerate(seen, start=1):
        renumber[number] = new
        mask = things == number
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes[new - 1] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return np.take(renumber, things), boxes, seen
