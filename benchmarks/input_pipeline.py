"""Training images per second and core: SegFormer's augmentation, ours against
torchvision v2 and plain albumentations.

    uv run --group benchmarks python benchmarks/input_pipeline.py

Files of ADE20K's typical size, 683 x 512: rendered rooms as JPEG, their labels as PNG,
in a temporary folder. Each reads, scales by 0.5 to 2, crops 512 x 512 (again while one
class covers 3/4), flips, distorts the colors, pads and stacks batches of 8 uint8
images; in one thread, so that a second is a second of one core. The libraries' color
changes differ a little, and so do their random numbers: the mean brightness and the
fraction of ignored pixels have to be near, not the pixels.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or the import asks the network for a newer release

import albumentations as A
import contest
import cv2
import numpy as np
import torch
from contest import Contest, Setting
from PIL import Image
from reporting import OURS
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import io, tv_tensors
from torchvision.transforms import v2

from pvtseg.build import build_data, compose
from pvtseg.data.scenes.dataset import Scenes

HEIGHT, WIDTH = 512, 683
CROP, IGNORED, RATIOS, MOST_OF_ONE = 512, 255, (0.5, 2.0), 0.75
IMAGES, BATCH = 16, 8
MEAN_COLOR = (124, 116, 104)
LABELS = np.uint8([IGNORED, *range(150), *[IGNORED] * 105])  # ADE20K's 0 is no class, 1 is class 0

Summary = tuple[float, float]  # mean brightness, fraction of ignored pixels


@cache
def folder() -> TemporaryDirectory:
    """ADEChallengeData2016 in small; gone at the end of the process."""
    made = TemporaryDirectory()
    rooms = Scenes("train", target="segmentation", length=IMAGES, size=(HEIGHT, WIDTH))
    for part in ("training", "validation"):
        for kind in ("images", "annotations"):
            (Path(made.name) / "ADEChallengeData2016" / kind / part).mkdir(parents=True)
        for index in range(IMAGES if part == "training" else 1):
            room = rooms[index]
            name = f"ADE_{part}_{index:04d}"
            root = Path(made.name) / "ADEChallengeData2016"
            Image.fromarray(room["image"]).save(root / "images" / part / f"{name}.jpg", quality=90)
            Image.fromarray(np.uint8(room["target"] + 1)).save(root / "annotations" / part / f"{name}.png")
    return made


def pairs() -> list[tuple[str, str]]:
    """The image and label files."""
    root = Path(folder().name) / "ADEChallengeData2016"
    images, masks = (sorted((root / kind / "training").iterdir()) for kind in ("images", "annotations"))
    return [(str(image), str(mask)) for image, mask in zip(images, masks, strict=True)]


def varied(mask: np.ndarray) -> bool:
    """Whether no class covers too much."""
    counts = np.bincount(mask.ravel(), minlength=256)
    counts[IGNORED] = 0
    return counts.max() < MOST_OF_ONE * counts.sum()


class Torchvision(Dataset):
    """As one writes it with torchvision.io and transforms.v2."""

    def __init__(self) -> None:
        self.files = pairs()
        self.flip = v2.RandomHorizontalFlip()
        self.distort = v2.RandomPhotometricDistort(
            brightness=(1 - 32 / 255, 1 + 32 / 255), contrast=(0.5, 1.5), saturation=(0.5, 1.5), hue=(-0.1, 0.1)
        )
        self.labels = torch.from_numpy(LABELS)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image_file, mask_file = self.files[index]
        image = tv_tensors.Image(io.decode_image(image_file, io.ImageReadMode.RGB))
        mask = tv_tensors.Mask(self.labels[io.decode_image(mask_file, io.ImageReadMode.GRAY)[0].long()])
        scale = random.uniform(*RATIOS)
        size = [round(side * scale) for side in image.shape[-2:]]
        image, mask = v2.functional.resize(image, size, antialias=False), v2.functional.resize(mask[None], size)[0]
        for _ in range(11):
            top, left = (random.randint(0, max(side - CROP, 0)) for side in size)
            cut = mask[top : top + CROP, left : left + CROP]
            if varied(cut.numpy()):
                break
        image = image[:, top : top + CROP, left : left + CROP]
        image, mask = self.flip(tv_tensors.Image(image), tv_tensors.Mask(cut))
        image = self.distort(image)
        padding = [0, 0, CROP - image.shape[-1], CROP - image.shape[-2]]
        return v2.functional.pad(image, padding, fill=list(MEAN_COLOR)), v2.functional.pad(mask, padding, fill=IGNORED)


class VariedCrop(A.RandomCrop):
    """albumentations has no crop that looks at the classes."""

    @property
    def targets_as_params(self) -> list[str]:
        return ["mask"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        for _ in range(11):
            found = super().get_params_dependent_on_data(params, data)
            left, top, right, bottom = found["crop_coords"]
            if varied(data["mask"][top:bottom, left:right]):
                break
        return found


class Albumentations(Dataset):
    """As one writes it with OpenCV and albumentations."""

    def __init__(self) -> None:
        self.files = pairs()
        self.steps = A.Compose(
            [
                A.RandomScale((RATIOS[0] - 1, RATIOS[1] - 1), p=1),
                A.PadIfNeeded(CROP, CROP, position="top_left", fill=MEAN_COLOR, fill_mask=IGNORED),
                VariedCrop(CROP, CROP),
                A.HorizontalFlip(),
                A.RandomBrightnessContrast(32 / 255, 0, p=0.5),
                A.RandomBrightnessContrast(0, 0.5, p=0.5),
                A.HueSaturationValue(18, 0, 0, p=0.5),
                A.HueSaturationValue(0, 40, 0, p=0.5),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image_file, mask_file = self.files[index]
        image = cv2.cvtColor(cv2.imread(image_file), cv2.COLOR_BGR2RGB)
        mask = cv2.LUT(cv2.imread(mask_file, cv2.IMREAD_GRAYSCALE), LABELS)
        changed = self.steps(image=image, mask=mask)
        return torch.from_numpy(changed["image"]).permute(2, 0, 1), torch.from_numpy(changed["mask"])


def ours(_: Setting) -> Callable[[int], Summary]:
    """The recipe's own data module, as `experiment=segformer_b0_ade20k` builds it."""
    overrides = ["experiment=segformer_b0_ade20k", f"paths.data={folder().name}", "paths.run=.", "data.num_workers=0"]
    data = build_data(compose(*overrides, f"data.batch_size={BATCH}"))
    epochs = iter(range(10**6))

    def loader() -> DataLoader:
        loader = data.train_dataloader()
        loader.sampler.set_epoch(next(epochs))
        return loader

    return partial(read, lambda: ((batch["image"], batch["target"]) for batch in loader()))


def theirs(dataset: Callable[[], Dataset], _: Setting) -> Callable[[int], Summary]:
    loader = DataLoader(dataset(), BATCH, shuffle=True, drop_last=True)
    return partial(read, lambda: loader)


def read(loader: Callable[[], Any], epochs: int) -> Summary:
    """Goes through the images so many times."""
    brightness, ignored = [], []
    for _ in range(epochs):
        for image, target in loader():
            assert image.shape == (BATCH, 3, CROP, CROP)
            assert image.dtype == torch.uint8
            assert target.shape == (BATCH, CROP, CROP)
            brightness.append(float(image[:, :, ::16, ::16].float().mean()))
            ignored.append(float((target[:, ::16, ::16] == IGNORED).float().mean()))
    return float(np.mean(brightness)), float(np.mean(ignored))


def agree(ours: Summary, theirs: Summary) -> str:
    assert abs(ours[0] - theirs[0]) < 15, f"mean brightness {ours[0]:.0f} and {theirs[0]:.0f}"
    assert abs(ours[1] - theirs[1]) < 0.1, f"{ours[1]:.0%} and {theirs[1]:.0%} ignored"
    return f"brightness {theirs[0]:.0f} (ours {ours[0]:.0f}), ignored {theirs[1]:.0%} ({ours[1]:.0%})"


EPOCHS = 2
CONTESTS = [
    Contest(
        title=f"{IMAGES * EPOCHS} images of {WIDTH} x {HEIGHT}",
        contestants={
            OURS: ours,
            "torchvision": partial(theirs, Torchvision),
            "albumentations": partial(theirs, Albumentations),
        },
        inputs=lambda _: (EPOCHS,),
        small=lambda _: (1,),
        agree=agree,
        units=IMAGES * EPOCHS,
    )
]

if __name__ == "__main__":
    cv2.setNumThreads(0)
    contest.hold("input_pipeline", CONTESTS, __doc__, threads=1)
