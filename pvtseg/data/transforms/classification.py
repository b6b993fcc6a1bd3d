"""Random crops for image classification, as ImageNet is trained on since Inception
(https://arxiv.org/abs/1409.4842).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pvtseg.data.transforms.pipeline import A, Pipeline
from pvtseg.data.transforms.sizes import as_range, as_size
from pvtseg.data.transforms.strong import RandAugment, RandomErasing


class ClassificationTraining(Pipeline):
    """Crop, resize to `size`, flip, change the colors. The target is unchanged.

    scale: the fraction of the image's area that a crop covers. ratio: its width /
    height. color_jitter: how far brightness, contrast and saturation move from 1,
    either way. Resampled bicubic, or by area where the crop shrinks.
    rand_augment: the magnitude of RandAugment, in 0..10; 0 leaves it out.
    erase_prob: the probability that a rectangle is erased.
    extra: further steps of albumentations, before the erasing.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        color_jitter: float = 0.4,
        rand_augment: float = 0.0,
        erase_prob: float = 0.0,
        extra: Sequence[A.BasicTransform] = (),
    ) -> None:
        factors = (max(1 - color_jitter, 0), 1 + color_jitter)
        super().__init__(
            [
                A.RandomResizedCrop(
                    as_size(size, option="data.train_transform.size"),
                    scale=as_range(scale, option="data.train_transform.scale"),
                    ratio=as_range(ratio, option="data.train_transform.ratio"),
                    interpolation=cv2.INTER_CUBIC,
                    area_for_downscale="image",
                ),
                A.HorizontalFlip(p=flip_prob),
                A.ColorJitter(factors, factors, factors, hue=0, p=1.0 if color_jitter else 0.0),
                *([RandAugment(rand_augment)] if rand_augment else []),
                *extra,
                RandomErasing(prob=erase_prob),
            ]
        )

    def __call__(self, *, image: np.ndarray, target: int) -> dict[str, Any]:
        return {"image": self.steps(image=image)["image"], "target": target}
