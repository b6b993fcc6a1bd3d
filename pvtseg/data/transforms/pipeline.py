"""What the training recipes share: steps of albumentations that draw from one stream of random numbers."""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or the import asks the network for a newer release

import albumentations as A


class Pipeline(ABC):
    """Steps, one after another. Called with the image (H, W, 3) uint8 and its target, it gives both back, changed.

    Call `seed` before each item: without it, all workers of a data loader may draw the same crops, in every epoch.
    """

    def __init__(self, steps: Sequence[A.BasicTransform]) -> None:
        self.steps = A.Compose(list(steps))

    @abstractmethod
    def __call__(self, *, image: np.ndarray, target: Any) -> dict[str, Any]: ...

    def seed(self, number: int) -> None:
        """Makes what follows depend on this number (0 or more) alone.

        Not by Compose.set_random_seed: it starts every step with a stream of its own from the same number, so that
        whether the image is flipped would follow from where it was cropped.
        """
        self.steps.set_random_state(np.random.default_rng(number), random.Random(number))
