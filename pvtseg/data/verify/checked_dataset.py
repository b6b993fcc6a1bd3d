"""The attributes that the check of a data set reads, beyond its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.samples import Samples
from pvtseg.interfaces import Sample


@runtime_checkable
class CheckedDataset(Samples, Protocol):
    """A data set of `Sample`s that knows its files.

    unpaired: paths of images without a target.
    """

    unpaired: Sequence[str]

    def files(self, index: int) -> Mapping[str, Path | str]:
        """The files of one item: "image" and, if it has its own, "target"."""
        ...


@runtime_checkable
class CheckedMasks(CheckedDataset, Protocol):
    """A data set of segmentation maps. has_label_map: the user said what each value of
    the masks means.
    """

    has_label_map: bool


@runtime_checkable
class CheckedDepth(CheckedDataset, Protocol):
    """A data set of depth maps. scale: meters per unit of the files."""

    scale: float

    def valid_depth(self, index: int) -> np.ndarray:
        """The depth map of one item, in range or not: (H, W) float32 meters, 0 where it
        is invalid.
        """
        ...


class UnknownFiles(Dataset):
    """Any other data set as a `CheckedDataset`; its items go by their number."""

    unpaired: Sequence[str] = ()

    def __init__(self, samples: Samples, split: str) -> None:
        self.samples = samples
        self.split = split

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def files(self, index: int) -> dict[str, Path | str]:
        """The number of one item."""
        return {"image": f"{self.split} item {index}"}


def as_checked(samples: Samples, split: str) -> CheckedDataset:
    """The data set itself if it knows its files, else wrapped."""
    return samples if isinstance(samples, CheckedDataset) else UnknownFiles(samples, split)
