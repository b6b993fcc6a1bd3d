"""The random numbers of a room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draws:
    """Random draws from one generator.

    Only the generator's raw doubles are used, so that every machine draws the same.
    """

    def __init__(self, generator: np.random.Generator):
        blocks = iter(lambda: generator.random(512).tolist(), None)  # endless; far faster than one number at a time
        self._numbers = chain.from_iterable(blocks)

    def between(self, low: float, high: float) -> float:
        """A number from low to high.

        The formula is written out, because a C library may fuse the product into the
        sum.
        """
        return low + (high - low) * next(self._numbers)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return next(self._numbers) < probability

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return int(next(self._numbers) * count)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of the choices, each with the same probability."""
        return choices[self.below(len(choices))]
