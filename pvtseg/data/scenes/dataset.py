"""Rendered indoor scenes as a data set: nothing to download, as many rooms as asked for, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from pvtseg.interfaces import Sample, UserError

from .furniture import MAKERS, Dice
from .rays import FAR
from .render import image_plane, photograph
from .room import Room, furnish
from .tracing import Hits, Stage

KINDS = tuple(MAKERS)
CLASSES = ("wall", "floor", "ceiling", "door", "window", "picture", "rug", *KINDS)
PALETTE = (
    (172, 164, 152), (139, 104, 72), (226, 226, 220), (122, 72, 160), (104, 190, 232), (240, 160, 60), (196, 92, 130),
    (214, 66, 60), (190, 140, 40), (70, 90, 170), (250, 226, 90), (72, 160, 76), (40, 190, 170),
)  # fmt: skip
KIND_PALETTE = PALETTE[-len(KINDS) :]

SPLITS = {"train": 0, "val": 1}  # a part of the key of every room, so that no two splits draw from one stream
TARGETS = ("segmentation", "depth", "classification")
SMALLEST = 32  # pixels a side


@dataclass(frozen=True)
class Scene:
    """One photograph and everything known about it, all from the same rays.

    image (H, W, 3) uint8 RGB. labels (H, W) uint8, indices into CLASSES. depth (H, W) float32, metres along the optical
    axis (planar, as a depth camera reports it), within 0.3 to 10. instances (H, W) uint16: things from 1, 0 elsewhere.
    boxes (N, 4) float32: x1, y1, x2, y2 around the visible pixels of instance 1 to N, the last two exclusive. box_labels
    (N,) int64: their CLASSES. label: the index into KINDS of the thing that stands in the middle, larger than any other.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    instances: np.ndarray
    boxes: np.ndarray
    box_labels: np.ndarray
    label: int
    room: Room


class Scenes(Dataset):
    """`length` rooms, drawn by (seed, split, index). target: segmentation, depth or classification; size: (height, width)."""

    def __init__(self, split: str, *, target: str, length: int, size: tuple[int, int] = (192, 256), seed: int = 0):
        if split not in SPLITS:
            raise UserError(f"scenes have no split {split!r}; use one of {', '.join(SPLITS)}.")
        if target not in TARGETS:
            raise UserError(f"scenes have no target {target!r}; use one of {', '.join(TARGETS)}.")
        if length < 1:
            raise UserError(f"a data set of {length} scenes is empty; use a length of at least 1.")
        if len(size) != 2 or min(size) < SMALLEST:
            raise UserError(f"scenes of size {tuple(size)} show nothing; use (height, width) of at least {SMALLEST} each.")
        if seed < 0:
            raise UserError(f"seed {seed} is negative; use 0 or more.")
        self.split, self.target, self.length, self.size, self.seed = split, target, length, tuple(size), seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        scene = self.scene(index)
        target = {"segmentation": scene.labels, "depth": scene.depth, "classification": scene.label}[self.target]
        return {"image": scene.image, "target": target, "name": f"scenes/{self.split}/{index:05d}"}

    def scene(self, index: int) -> Scene:
        """Everything about one room."""
        if index < 0:
            raise UserError(f"scene {index} counts from the end; use an index from 0 to {self.length - 1}.")
        if index >= self.length:
            raise IndexError(f"scene {index} of {self.length}; indices go from 0 to {self.length - 1}.")
        key = np.random.SeedSequence((self.seed, SPLITS[self.split], index))
        dice = Dice(np.random.Generator(np.random.PCG64(key)))
        height, width = self.size
        label = index % len(KINDS)
        with np.errstate(invalid="ignore", divide="ignore"):  # a ray past a round solid meets it at nan, see shapes
            stage = compose(dice, KINDS[label], width / height)
            hits = stage.trace(*image_plane(stage.room, height, width))
            image = photograph(stage, hits, height, width, dice)
        labels, things = name_pixels(stage, hits)
        instances, boxes, numbers = number_things(things.reshape(height, width))
        box_labels = np.array([CLASSES.index(stage.room.things[n - 1].piece.kind) for n in numbers], dtype=np.int64)
        return Scene(
            image=image,
            labels=labels.reshape(height, width),
            depth=hits.depth.reshape(height, width),
            instances=instances,
            boxes=boxes,
            box_labels=box_labels,
            label=label,
            room=stage.room,
        )


PROBE = (30, 40)  # rays, (down, across), that judge a composition before it is rendered
LEAST, MARGIN = 0.035, 1.8  # the thing in the middle: its least part of the view, and how many times any other kind's


def compose(dice: Dice, kind: str, aspect: float) -> Stage:
    """A room in which the thing of this kind is plainly what the picture shows; with ever fewer others until it is."""
    for attempt in range(200):
        room = furnish(dice, kind, aspect, others=max(0, 16 - 2 * attempt))
        if room is not None and plain(stage := Stage(room)):
            return stage
    raise RuntimeError(f"no room for a {kind} in 200 attempts")


def plain(stage: Stage) -> bool:
    """Whether the first thing is large in the view, and much larger than all of any other kind together."""
    x, y = image_plane(stage.room, *PROBE)
    depth, surface = np.full(x.shape, FAR), np.zeros(x.shape, dtype=np.int16)
    stage.things(stage.rays(x, y), x, y, depth, surface)
    count = dict.fromkeys(KINDS, 0)
    for number, rays in enumerate(np.bincount(surface).tolist()):
        if rays and stage.surfaces[number].thing:
            count[stage.surfaces[number].kind] += rays
    star = count.pop(stage.room.things[0].piece.kind)
    return star >= LEAST * x.size and star >= MARGIN * max(count.values())


def name_pixels(stage: Stage, hits: Hits) -> tuple[np.ndarray, np.ndarray]:
    """The class index (n,) uint8 and the number of the thing (n,) uint16 of every hit."""
    kinds = np.array([CLASSES.index(surface.kind) for surface in stage.surfaces], dtype=np.uint8)
    things = np.array([surface.thing for surface in stage.surfaces], dtype=np.uint16)
    return np.take(kinds, hits.surface), np.take(things, hits.surface)


def number_things(things: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Numbers the things that are seen from 1 on: the map (H, W), their boxes (N, 4), and which things they are."""
    seen = [int(number) for number in np.flatnonzero(np.bincount(things.ravel())) if number]
    renumber = np.zeros(max(seen, default=0) + 1, dtype=np.uint16)
    boxes = np.zeros((len(seen), 4), dtype=np.float32)
    for new, number in enumerate(seen, start=1):
        renumber[number] = new
        mask = things == number
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes[new - 1] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return np.take(renumber, things), boxes, seen
