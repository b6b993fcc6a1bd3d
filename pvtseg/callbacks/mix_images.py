"""Mixup (https://arxiv.org/abs/1710.09412) and CutMix
(https://arxiv.org/abs/1905.04899) of whole batches, on the device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from torchvision.transforms import v2

from pvtseg.errors import UserError
from pvtseg.interfaces import Batch


class MixImages(Callback):
    """Blends each training image with another of its batch, or pastes a rectangle
    of it; the targets become probabilities (B, K).

    Every batch is mixed, by CutMix with probability `cutmix_prob`, else by mixup; an
    alpha of 0 turns one of them off. What is drawn depends on the seed, the process,
    the epoch and the batch alone, so that a resumed run goes on as it would have.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        mixup_alpha: float = 0.8,
        cutmix_alpha: float = 1.0,
        cutmix_prob: float = 0.5,
        seed: int = 0,
    ):
        if mixup_alpha <= 0 and cutmix_alpha <= 0:
            raise UserError(
                "callbacks.mix_images.mixup_alpha and callbacks.mix_images.cutmix_alpha are 0, so that "
                "nothing is mixed; leave mix_images out of callbacks."
            )
        self.mixup = v2.MixUp(alpha=mixup_alpha, num_classes=num_classes) if mixup_alpha > 0 else None
        self.cutmix = v2.CutMix(alpha=cutmix_alpha, num_classes=num_classes) if cutmix_alpha > 0 else None
        self.cutmix_prob = cutmix_prob if self.mixup and self.cutmix else float(self.mixup is None)
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        key = [self.seed, trainer.global_rank, trainer.current_epoch, batch_idx]
        with torch.random.fork_rng(devices=[]):  # torchvision draws on the CPU, from torch's own generator
            torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
            mix: Any = self.cutmix if torch.rand(()) < self.cutmix_prob else self.mixup
            batch["image"], batch["target"] = mix(batch["image"], batch["target"])
