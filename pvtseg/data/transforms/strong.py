"""Strong augmentation for image classification: RandAugment and random erasing, as
steps of albumentations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from pvtseg.data.transforms.pipeline import MEAN_COLOR, A


class RandAugment(A.ImageOnlyTransform):
    """Two random distortions of a strength around `magnitude` of 10
    (https://arxiv.org/abs/1909.13719), by torchvision.

    timm's "rand-m9-mstd0.5-inc1" counts strengths in tenths of the maximum, torchvision
    in 31 bins: three of them to a tenth. The strength of an image is drawn from a
    normal distribution with the standard deviation `spread`. The distortions are
    torchvision's 14, with identity; timm has 15, with invert and a second solarize.
    """

    BINS = 31

    def __init__(self, magnitude: float = 9.0, *, spread: float = 0.5) -> None:
        super().__init__(p=1.0)
        self.magnitude = magnitude
        self.spread = spread

    def get_params(self) -> dict[str, Any]:
        strength = self.py_random.gauss(self.magnitude, self.spread) / 10
        return {"bin": round(min(max(strength, 0), 1) * (self.BINS - 1)), "seed": self.py_random.getrandbits(32)}

    def apply(self, img: np.ndarray, bin: int, seed: int, **_: Any) -> np.ndarray:
        distort = v2.RandAugment(
            num_ops=2,
            magnitude=bin,
            num_magnitude_bins=self.BINS,
            interpolation=InterpolationMode.BICUBIC,
            fill=MEAN_COLOR,
        )
        with torch.random.fork_rng(devices=[]):  # torchvision draws from torch's own generator
            torch.manual_seed(seed)
            return np.array(distort(Image.fromarray(img)))


class RandomErasing(A.ImageOnlyTransform):
    """Noise in place of a random rectangle (https://arxiv.org/abs/1708.04896): 2 % to a
    third of the image, 0.3 to 3.3 wide.

    The noise has ImageNet's mean and standard deviation in each pixel. After the
    normalization it is N(0, 1), clipped at black and white.
    """

    AREA = (0.02, 1 / 3)
    ASPECT = (0.3, 1 / 0.3)
    TRIES = 10
    MEAN = np.array([123.675, 116.28, 103.53])
    DEVIATION = np.array([58.395, 57.12, 57.375])

    def __init__(self, *, prob: float = 0.25) -> None:
        super().__init__(p=prob)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        height, width = params["shape"][:2]
        for _ in range(self.TRIES):
            area = self.py_random.uniform(*self.AREA) * height * width
            aspect = np.exp(self.py_random.uniform(*np.log(self.ASPECT)))
            rows, columns = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
            if rows < height and columns < width:
                top, left = self.py_random.randint(0, height - rows), self.py_random.randint(0, width - columns)
                noise = self.random_generator.normal(self.MEAN, self.DEVIATION, (rows, columns, 3))
                return {"window": (slice(top, top + rows), slice(left, left + columns)), "noise": noise}
        return {"window": (slice(0, 0), slice(0, 0)), "noise": np.empty((0, 0, 3))}

    def apply(self, img: np.ndarray, window: tuple[slice, slice], noise: np.ndarray, **_: Any) -> np.ndarray:
        img = img.copy()
        img[window] = np.clip(noise, 0, 255).round().astype(np.uint8)
        return img
