"""The base of the training transforms: steps of albumentations that draw from one
stream of random numbers.
"""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or the import asks the network for a newer release

import albumentations as A

MEAN_COLOR = (124, 116, 104)  # of ImageNet


class Pipeline(ABC):
    """Steps, one after another: image (H, W, 3) uint8 and its target -> both, changed.

    Call `seed` before each item. Without it, all workers of a data loader may draw the
    same crops in every epoch.
    """

    def __init__(self, steps: Sequence[A.BasicTransform]) -> None:
        self.steps = A.Compose(list(steps))

    @abstractmethod
    def __call__(self, *, image: np.ndarray, target: Any) -> dict[str, Any]: ...

    def seed(self, number: int) -> None:
        """Makes all further draws depend on this number (0 or more) alone.

        We do not use Compose.set_random_seed, because it gives every transform the same
        seed: crop position and flip would be correlated.
        """
        self.steps.set_random_state(np.random.default_rng(number), random.Random(number))
