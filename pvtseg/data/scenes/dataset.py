"""Rendered indoor scenes as a data set: nothing to download, as many rooms as asked for, the same on every machine."""

from __future__ import annotations

import numpy as np
from torch.utils.data import Dataset

from pvtseg.errors import UserError
from pvtseg.interfaces import Sample

from .dice import Dice
from .scene import KINDS, Scene, draw_scene

SPLITS = {"train": 0, "val": 1}  # a part of the key of every room, so that no two splits draw from one stream
TARGETS = ("segmentation", "depth", "classification")
SMALLEST = 32  # pixels a side


class Scenes(Dataset):
    """`length` rooms, each drawn by (seed, split, index) alone.

    split: train or val. target: segmentation, depth or classification. size: (height, width) of the images, in pixels.
    """

    def __init__(self, split: str, *, target: str, length: int, size: tuple[int, int] = (192, 256), seed: int = 0):
        if split not in SPLITS:
            raise UserError(f"scenes have no split {split!r}; use one of {', '.join(SPLITS)}.")
        if target not in TARGETS:
            raise UserError(f"scenes have no target {target!r}; use one of {', '.join(TARGETS)}.")
        if length < 1:
            raise UserError(f"a data set of {length} scenes is empty; use a length of at least 1.")
        if len(size) != 2 or min(size) < SMALLEST:
            raise UserError(f"scenes of size {tuple(size)} show nothing; use at least {SMALLEST} pixels each way.")
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
        """Everything about one room. The kinds take turns: a stretch of indices is balanced over the labels."""
        if index < 0:
            raise UserError(f"scene {index} counts from the end; use an index from 0 to {self.length - 1}.")
        if index >= self.length:
            raise IndexError(f"scene {index} of {self.length}; indices go from 0 to {self.length - 1}.")
        key = np.random.SeedSequence((self.seed, SPLITS[self.split], index))
        dice = Dice(np.random.Generator(np.random.PCG64(key)))
        return draw_scene(dice, index % len(KINDS), *self.size)
