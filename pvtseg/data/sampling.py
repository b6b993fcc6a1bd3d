"""Which items a process sees, and in which order."""

from collections.abc import Iterator

import numpy as np
from torch import distributed
from torch.utils.data import Sampler


class TrainingSampler(Sampler):
    """Yields (epoch, index, repeat) in an order that depends on the seed and the epoch alone, this process's share of it.

    Every process gets equally many; the few that do not divide wait for another epoch's order. `skip` items are left out of
    the next epoch: those that a resumed run has already seen.

    repeats: how often an image comes in an epoch, augmented differently each time. The epoch stays as long, with as many times
    fewer images (https://arxiv.org/abs/1902.05509). As in DeiT, the repeats of an image are neighbors in the order, which is
    dealt out to the processes in turn: as many processes as repeats get one each, a single process has all of them in one
    batch. Over all processes, a step sees the same images whatever their number.
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
        rank, world = _rank_and_world()
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        share = range(rank, len(self) * world, world)
        first, self.skip = self.skip, 0
        return ((self.epoch, int(order[place // self.repeats]), place % self.repeats) for place in share[first:])

    def __len__(self) -> int:
        return self.length // _rank_and_world()[1]


class EvaluationSampler(Sampler):
    """Yields this process's share of the indices, each exactly once over all processes, so that metrics count none twice."""

    def __init__(self, length: int):
        self.length = length

    def __iter__(self) -> Iterator[int]:
        return iter(self._share())

    def __len__(self) -> int:
        return len(self._share())

    def _share(self) -> range:
        rank, world = _rank_and_world()
        return range(rank, self.length, world)


def _rank_and_world() -> tuple[int, int]:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
