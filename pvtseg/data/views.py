"""Data sets as training and evaluation see them: transformed, and with errors that name
the item.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.samples import Samples
from pvtseg.errors import UserError
from pvtseg.interfaces import EvalTransform, Sample, Transform


class TrainingView(Dataset):
    """A data set with a random transform, seeded by (seed, epoch, index, repeat), so
    that runs repeat.

    Indexed by (epoch, index, repeat) -> image, target and size after the transform, and
    name.
    """

    def __init__(self, samples: Samples, transform: Transform, seed: int):
        self.samples = samples
        self.transform = transform
        self.seed = seed

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Any]:
        epoch, index, repeat = key
        with _naming(f"training item {index}"):
            sample: Sample = self.samples[index]
        entropy = [self.seed, epoch, index, *([repeat] if repeat else [])]  # the first repeat is that of a run without
        with _naming(sample["name"]):
            self.transform.seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
            changed = self.transform(image=sample["image"], target=sample["target"])
        image = changed["image"]
        return {"image": image, "target": changed["target"], "size": image.shape[:2], "name": sample["name"]}


class EvaluationView(Dataset):
    """A data set whose images are prepared for the model -> image, perhaps views,
    target, size and name.

    Targets stay at their own size, which is that of the original image, (height,
    width).
    views: the image at each ratio, if the transform makes them (`MultiScale`).
    """

    def __init__(self, samples: Samples, transform: EvalTransform):
        self.samples = samples
        self.transform = transform

    def __getitem__(self, index: int) -> dict[str, Any]:
        with _naming(f"validation item {index}"):
            sample: Sample = self.samples[index]
        with _naming(sample["name"]):
            prepared = self.transform(image=sample["image"])
        return {**prepared, "target": sample["target"], "size": sample["image"].shape[:2], "name": sample["name"]}


@contextmanager
def _naming(item: str) -> Iterator[None]:
    """Puts the item before the message of an error that does not name it."""
    try:
        yield
    except UserError as error:
        raise error if item in str(error) else UserError(f"{item}: {error}") from error
    except Exception as error:  # from a data set or transform of the user's own
        raise RuntimeError(f"{item}: {type(error).__name__}: {error}") from error
