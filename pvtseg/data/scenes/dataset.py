"""Rendered indoor scenes as a data set: nothing to download, any number of rooms, the
same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.labels import KINDS
from pvtseg.data.scenes.scene import Scene, draw_scene
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample

SPLITS = {"train": 0, "val": 1}  # in the key of every room, so that no two splits draw from one stream
TARGETS = {"segmentation": "segmentation_map", "depth": "depth", "classification": "label"}
SMALLEST = 32  # pixels a side


class Scenes(Dataset):
    """`length` rooms, each drawn from (seed, split, index) alone.

    split: train or val. target: segmentation, depth or classification; a list of them
    makes each target a mapping by these names. size: (height, width) in pixels.
    """

    def __init__(
        self,
        split: str,
        *,
        target: str | Sequence[str],
        length: int,
        size: tuple[int, int] = (192, 256),
        seed: int = 0,
    ):
        if split not in SPLITS:
            raise UserError(f"the split of the scenes is {split!r}; use one of {', '.join(SPLITS)}.")
        key = f"data.{split}"
        for name in [target] if isinstance(target, str) else target or [None]:
            if name not in TARGETS:
                raise UserError(f"data.train.target is {name!r}; use one of {', '.join(TARGETS)}, or a list of them.")
        if length < 1:
            raise UserError(f"{key}.length is {length}, which is an empty data set; use {key}.length=1 or more.")
        if len(size) != 2 or min(size) < SMALLEST:
            raise UserError(
                f"data.train.size is {list(size)}; use at least {SMALLEST} pixels each way, (height, width)."
            )
        if seed < 0:
            raise UserError(f"data.train.seed is {seed}; use 0 or more.")
        self.split, self.target, self.length, self.size, self.seed = split, target, length, tuple(size), seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        scene = self.scene(index)
        return {"image": scene.image, "target": self._target(scene), "name": f"scenes/{self.split}/{index:05d}"}

    def scene(self, index: int) -> Scene:
        """One room with all its targets.

        The kinds of things take turns, so that any stretch of indices is balanced.
        """
        if index < 0:
            raise UserError(f"scene {index} counts from the end; use an index from 0 to {self.length - 1}.")
        if index >= self.length:
            raise IndexError(f"scene {index} of {self.length}; indices go from 0 to {self.length - 1}.")
        key = np.random.SeedSequence((self.seed, SPLITS[self.split], index))
        draws = Draws(np.random.Generator(np.random.PCG64(key)))
        return draw_scene(draws, index % len(KINDS), *self.size)

    def _target(self, scene: Scene) -> Any:
        if isinstance(self.target, str):
            return getattr(scene, TARGETS[self.target])
        return {name: getattr(scene, TARGETS[name]) for name in self.target}
