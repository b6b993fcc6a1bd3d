"""Dark images with one bright square."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import Dataset

from strangers.spot import Spot


class Spots(Dataset):
    """image (H, W, 3) uint8, target a Spot."""

    def __init__(self, length: int, size: list[int], *, seed: int = 0) -> None:
        self.length, self.size, self.seed = length, size, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        random = np.random.default_rng([self.seed, index])
        height, width = self.size
        image = random.integers(0, 60, (height, width, 3), dtype=np.uint8)
        x, y = int(random.integers(4, width - 4)), int(random.integers(4, height - 4))
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
        return {"image": image, "target": Spot(torch.tensor([float(x), float(y)])), "name": f"spot {index}"}


class Flicker:
    """A training transform: the image in another brightness."""

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.random = np.random.default_rng()

    def seed(self, number: int) -> None:
        self.random = np.random.default_rng(number)

    def __call__(self, *, image: np.ndarray, target: Spot) -> dict:
        factor = 1 - self.strength * self.random.random()
        return {"image": (image * factor).astype(np.uint8), "target": target}


class Brighten:
    """An evaluation transform."""

    def __call__(self, *, image: np.ndarray) -> dict:
        return {"image": np.maximum(image, 1)}
