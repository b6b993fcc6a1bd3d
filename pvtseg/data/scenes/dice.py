"""Where a room's chances come from."""

from __future__ import annotations

from itertools import chain

import numpy as np


class Dice:
    """Draws from one generator; nothing here but its raw doubles, so that every machine draws the same."""

    def __init__(self, generator: np.random.Generator):
        blocks = iter(lambda: generator.random(512).tolist(), None)  # endless; far faster than one number at a time
        self.draws = chain.from_iterable(blocks)

    def between(self, low: float, high: float) -> float:
        """A number from low to high; written out, because a C library may fuse the product into the sum."""
        return low + (high - low) * next(self.draws)

    def chance(self, probability: float) -> bool:
        """Whether something happens that happens this often."""
        return next(self.draws) < probability

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return int(next(self.draws) * count)

    def one_of(self, choices: tuple):
        """Any of the choices."""
        return choices[self.below(len(choices))]
