"""The fused cross-entropy against plain PyTorch: one training step's loss and gradient,
time and peak memory.

    uv run --group benchmarks python benchmarks/loss.py

150 classes, logits at a quarter of 512 x 512, four images. Both must agree in value and
gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import contest
import torch
from contest import Contest, Setting
from reporting import OURS
from torch import Tensor
from torch.nn import functional as F

from pvtseg.losses.cross_entropy import CrossEntropy

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def fused(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy that upsamples by itself."""
    return CrossEntropy()(logits, target)["cross_entropy"]


def plain(logits: Tensor, target: Tensor) -> Tensor:
    """What one writes without this project."""
    fine = F.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(fine, target, ignore_index=255)


def step(loss: Callable[[Tensor, Tensor], Tensor], setting: Setting) -> Step:
    """The loss and its gradient."""
    loss = setting.compile(loss)

    def work(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        value = loss(logits, target)
        return value.detach(), torch.autograd.grad(value, logits)[0]

    return work


def batch(images: int, classes: int, side: int, setting: Setting) -> tuple[Tensor, Tensor]:
    """Logits at a quarter of the image and labels at its size, a twelfth of them
    ignored, as in ADE20K.
    """
    torch.manual_seed(0)
    logits = setting.place(3 * torch.randn(images, classes, side // 4, side // 4))
    target = torch.randint(classes, (images, side, side))
    target[torch.rand(target.shape) < 1 / 12] = 255
    return logits.requires_grad_(), target.to(setting.device)


def agree(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> str:
    return contest.largest_difference(ours, theirs, bound=1e-4 if ours[1].dtype == torch.float32 else 0.1)


CONTESTS = [
    Contest(
        title="upsampling and cross-entropy, 4 x 150 x 512 x 512",
        contestants={OURS: partial(step, fused), "plain PyTorch": partial(step, plain)},
        inputs=partial(batch, 4, 150, 512),
        small=partial(batch, 1, 4, 32),
        agree=agree,
        goals={"plain PyTorch": 1.8},
        memory_goals={"plain PyTorch": 8},
        units=4,
    )
]

if __name__ == "__main__":
    contest.hold("loss", CONTESTS, __doc__)
