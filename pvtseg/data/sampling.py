"""Samplers: the items that each process loads, and their order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import distributed
from torch.utils.data import Sampler


class TrainingSampler(Sampler):
    """Yields this process's (epoch, index, repeat), in an order that depends on the
    seed and the epoch alone.

    Every process gets the same number of items. The few that do not divide are left
    out, and each epoch leaves out others. `skip` items are left out of the next epoch,
    because a resumed run has seen them.

    repeats: how often an image comes in an epoch, each time augmented differently
    (https://arxiv.org/abs/1902.05509). The epoch keeps its length and has that many
    times fewer images. Repeated augmentation as in DeiT: the repeats of an image are
    consecutive in the shuffled order, and the order is dealt round-robin to the
    processes. The images of a global step do not depend on the number of processes.
    """

    def __init__(self, length: int, seed: int, *, repeats: int = 1):
        self.length = length
        self.seed = seed
        self.repeats = repeats
        self.epoch = 0
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        rank, num_processes = _rank_and_num_processes()
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        positions = range(rank, len(self) * num_processes, num_processes)
        first, self.skip = self.skip, 0
        return ((self.epoch, int(order[p // self.repeats]), p % self.repeats) for p in positions[first:])

    def __len__(self) -> int:
        return self.length // _rank_and_num_processes()[1]


class EvaluationSampler(Sampler):
    """Yields this process's indices. Each index comes once over all processes, so
    metrics count none twice.
    """

    def __init__(self, length: int):
        self.length = length

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices())

    def __len__(self) -> int:
        return len(self._indices())

    def _indices(self) -> range:
        rank, num_processes = _rank_and_num_processes()
        return range(rank, self.length, num_processes)


def _rank_and_num_processes() -> tuple[int, int]:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
