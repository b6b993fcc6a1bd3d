"""A training step of SegFormer, 150 classes, against transformers: time, and memory
above the process at rest.

    uv run --group benchmarks python benchmarks/training.py

Forward, loss at full resolution, backward, AdamW. Dropout and dropped paths are off on
both sides, so that loss and all gradients of the first step can be compared. At rest
the process has its libraries and its model, but neither gradients nor AdamW's moments:
these count. With bfloat16 both train under autocast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import contest
import peers
import torch
from contest import Contest, Setting
from reporting import OURS
from torch import Tensor, nn

from pvtseg.checkpoints.families.segformer import SEGMENTER
from pvtseg.losses.cross_entropy import CrossEntropy

CLASSES = 150
Gradients = Callable[[], Mapping[str, Tensor]]


class Step:
    """(image, target) -> the loss, and a function that tells the gradients under our
    names.

    learn=False stops before the optimizer and drops the gradients.
    """

    def __init__(self, model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], setting: Setting):
        self.model = model
        self.loss = loss
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=6e-5, weight_decay=0.01)
        self.autocast = partial(
            torch.autocast, setting.device.type, setting.dtype, enabled=setting.dtype != torch.float32
        )

    def __call__(self, image: Tensor, target: Tensor, learn: bool = True) -> tuple[Tensor, Gradients]:
        self.optimizer.zero_grad()
        with self.autocast():
            loss = self.loss(image, target)
        loss.backward()
        if learn:
            self.optimizer.step()
        else:
            self.optimizer.zero_grad()
        return loss.detach(), self.gradients

    def gradients(self) -> Mapping[str, Tensor]:
        gradients = {name: parameter.grad for name, parameter in self.model.named_parameters()}
        return gradients if hasattr(self.model, "backbone") else SEGMENTER.from_published(gradients)


def ours(size: str, setting: Setting) -> Step:
    model = peers.with_one_epsilon(peers.segformer(size)).to(setting.device).train()
    forward, loss = setting.compile(model), CrossEntropy()
    return Step(model, lambda image, target: loss(forward(image), target)["cross_entropy"], setting)


def transformers(size: str, setting: Setting) -> Step:
    still = {"drop_path_rate": 0.0, "classifier_dropout_prob": 0.0}
    model = peers.in_transformers("segformer", size, "SegformerForSemanticSegmentation", **still)
    model = model.to(setting.device).train()
    forward = setting.compile(model)
    return Step(model, lambda image, target: forward(pixel_values=image, labels=target).loss, setting)


def batch(images: int, side: int, setting: Setting, *, classes: int = CLASSES) -> tuple[Tensor, Tensor]:
    """Noise, and labels in patches of 16 pixels, a twelfth of them ignored, as in ADE20K."""
    torch.manual_seed(1)
    target = torch.randint(classes, (images, side // 16, side // 16))
    target[torch.rand(target.shape) < 1 / 12] = 255
    target = target.repeat_interleave(16, dim=1).repeat_interleave(16, dim=2)
    return torch.randn(images, 3, side, side, device=setting.device), target.to(setting.device)


def small(setting: Setting) -> tuple[Tensor, Tensor, bool]:
    return *batch(2, 64, setting), False


def agree(our_step: tuple[Tensor, Gradients], their_step: tuple[Tensor, Gradients]) -> str:
    (our_loss, our_gradients), (their_loss, their_gradients) = our_step, their_step
    torch.testing.assert_close(our_loss, their_loss, rtol=1e-4, atol=0)
    ours, theirs = our_gradients(), their_gradients()
    assert ours.keys() == theirs.keys()
    # A gradient that is zero but for rounding is nobody's: the bias of keys, and what
    # stands before a norm over the batch.
    norm = max(float(gradient.abs().max()) for gradient in theirs.values())
    named = [name for name, gradient in theirs.items() if float(gradient.abs().max()) > 1e-5 * norm]
    return contest.largest_difference([ours[name] for name in named], [theirs[name] for name in named], bound=1e-2)


def of_training(size: str, images: int, goal: float, memory_goal: float) -> Contest:
    return Contest(
        title=f"SegFormer {size}, {images} x 512 x 512",
        contestants={OURS: partial(ours, size), "transformers": partial(transformers, size)},
        inputs=partial(batch, images, 512),
        small=small,
        agree=agree,
        goals={"transformers": goal},
        memory_goals={"transformers": memory_goal},
        units=images,
    )


CONTESTS = [of_training("b0", 4, 1.7, 2.2), of_training("b2", 2, 2.0, 1.8)]

if __name__ == "__main__":
    contest.hold("training", CONTESTS, __doc__)
