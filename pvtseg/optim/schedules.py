"""Learning-rate schedules: functions of the step t in 0..T that multiply the
optimizer's learning rates.

`poly` and `cosine` are a linear warm-up, then a polynomial or a cosine down to a
fraction of the peak. The others are the schedules of one published recipe each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from pvtseg.errors import UserError


def poly(
    optimizer: Optimizer,
    total_steps: int,
    *,
    power: float = 1.0,
    warmup_steps: int = 0,
    warmup_ratio: float = 1e-6,
    final_ratio: float = 0.0,
) -> LambdaLR:
    """(1 - t / T) ** power, as SegFormer and Semantic FPN train
    (https://arxiv.org/abs/2105.15203, section 4.1).
    """
    return _schedule(optimizer, total_steps, lambda done: (1 - done) ** power, warmup_steps, warmup_ratio, final_ratio)


def cosine(
    optimizer: Optimizer,
    total_steps: int,
    *,
    warmup_steps: int = 0,
    warmup_ratio: float = 1e-6,
    final_ratio: float = 0.0,
) -> LambdaLR:
    """Half a cosine, as PVT v2 trains on ImageNet (https://arxiv.org/abs/2106.13797,
    section 4.1).
    """
    return _schedule(
        optimizer, total_steps, lambda done: (1 + math.cos(math.pi * done)) / 2, warmup_steps, warmup_ratio, final_ratio
    )


def poly_after_warmup(
    optimizer: Optimizer, total_steps: int, *, power: float = 1.0, warmup_steps: int = 0, warmup_ratio: float = 1e-6
) -> LambdaLR:
    """The schedule of mmsegmentation 1.x: LinearLR over `warmup_steps`, and from the peak
    PolyLR, whose clock starts there.

    Each ends a step early, as mmengine counts: the peak is reached at warmup_steps - 1,
    zero at total_steps - 1.
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return warmup_ratio + (1 - warmup_ratio) * step / max(warmup_steps - 1, 1)
        done = (step - warmup_steps) / max(total_steps - warmup_steps - 1, 1)
        return (1 - min(done, 1.0)) ** power

    return LambdaLR(optimizer, factor)


def one_cycle_poly(
    optimizer: Optimizer,
    total_steps: int,
    *,
    power: float = 0.9,
    start_ratio: float = 0.3,
    warmup_steps: int | None = None,
) -> LambdaLR:
    """One cycle: up from `start_ratio` and down again, each as (t / warmup_steps) **
    power.

    GLPN trains so (https://arxiv.org/abs/2201.07436, section 4.1). warmup_steps: half
    of the training where it is None. GLPN's own runs rise for 12 of 25 epochs, so they
    end below `start_ratio`.
    """
    peak = total_steps / 2 if warmup_steps is None else warmup_steps

    def factor(step: int) -> float:
        if step <= peak:
            return start_ratio + (1 - start_ratio) * (step / peak) ** power
        return 1 - (1 - start_ratio) * (step / peak - 1) ** power

    return LambdaLR(optimizer, factor)


def cosine_by_epoch(
    optimizer: Optimizer,
    total_steps: int,
    *,
    num_epochs: int,
    warmup_epochs: int = 0,
    warmup_ratio: float = 1e-3,
    final_ratio: float = 0.0,
) -> LambdaLR:
    """One learning rate per epoch, as timm and PVT v2 train on ImageNet: a line from
    `warmup_ratio`, then half a cosine.

    The cosine's clock starts with the training. The learning rate therefore falls a
    little where the line meets it.
    """
    if num_epochs < 1:
        raise UserError(
            f"schedule.num_epochs is {num_epochs}; use the number of epochs of the run, with trainer=epochs."
        )

    def factor(step: int) -> float:
        epoch = min(step * num_epochs // total_steps, num_epochs)
        if epoch < warmup_epochs:
            return warmup_ratio + (1 - warmup_ratio) * epoch / warmup_epochs
        return final_ratio + (1 - final_ratio) * (1 + math.cos(math.pi * epoch / num_epochs)) / 2

    return LambdaLR(optimizer, factor)


def _schedule(
    optimizer: Optimizer,
    total_steps: int,
    curve: Callable[[float], float],
    warmup_steps: int,
    warmup_ratio: float,
    final_ratio: float,
) -> LambdaLR:
    """The curve, from 1 at step 0 to `final_ratio` at `total_steps`; its clock runs
    during the warm-up as well.

    In the warm-up the rate is multiplied by a line from `warmup_ratio` at step 0 to 1
    at `warmup_steps`.
    """

    def factor(step: int) -> float:
        rate = final_ratio + (1 - final_ratio) * curve(min(step / total_steps, 1.0))
        if step < warmup_steps:
            rate *= 1 - (1 - step / warmup_steps) * (1 - warmup_ratio)
        return rate

    return LambdaLR(optimizer, factor)
