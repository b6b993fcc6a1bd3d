"""Learning-rate curves: a linear warm-up, then a polynomial or a cosine down to a fraction of the peak."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def poly(
    optimizer: Optimizer,
    total_steps: int,
    *,
    power: float = 1.0,
    warmup_steps: int = 0,
    warmup_ratio: float = 1e-6,
    final_ratio: float = 0.0,
) -> LambdaLR:
    """(1 - t / T) ** power, as SegFormer and Semantic FPN train (https://arxiv.org/abs/2105.15203, section 4.1)."""
    return _schedule(optimizer, total_steps, lambda done: (1 - done) ** power, warmup_steps, warmup_ratio, final_ratio)


def cosine(
    optimizer: Optimizer, total_steps: int, *, warmup_steps: int = 0, warmup_ratio: float = 1e-6, final_ratio: float = 0.0
) -> LambdaLR:
    """Half a cosine, as PVT v2 trains on ImageNet (https://arxiv.org/abs/2106.13797, section 4.1)."""
    return _schedule(
        optimizer, total_steps, lambda done: (1 + math.cos(math.pi * done)) / 2, warmup_steps, warmup_ratio, final_ratio
    )


def _schedule(
    optimizer: Optimizer,
    total_steps: int,
    curve: Callable[[float], float],
    warmup_steps: int,
    warmup_ratio: float,
    final_ratio: float,
) -> LambdaLR:
    """The curve, from 1 at step 0 to `final_ratio` at `total_steps`; its clock runs during the warm-up as well.

    In the warm-up the rate is multiplied by a line from `warmup_ratio` at step 0 to 1 at `warmup_steps`.
    """

    def factor(step: int) -> float:
        rate = final_ratio + (1 - final_ratio) * curve(min(step / total_steps, 1.0))
        if step < warmup_steps:
            rate *= 1 - (1 - step / warmup_steps) * (1 - warmup_ratio)
        return rate

    return LambdaLR(optimizer, factor)
