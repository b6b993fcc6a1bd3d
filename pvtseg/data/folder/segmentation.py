"""Images and masks in directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.listing import IMAGE_SUFFIXES, PairedFolder, Split
from pvtseg.data.io import check_same_size, read_image, read_mask
from pvtseg.data.target_info import ClassInfo
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample

UNKNOWN = np.iinfo(np.int32).min  # in the table, for raw values without a meaning
LONGEST_OVERRIDE = 32  # values that a message can list


class UnknownValuesError(UserError):
    """A mask holds values without a meaning."""


class SegmentationFolder(Dataset):
    """root/images/**/NAME.jpg with root/masks/**/NAME + mask_suffix -> image (H, W, 3)
    uint8, target (H, W) classes.

    An image suffix is everything that follows the name:
    image_suffixes=["_leftImg8bit.png"] and mask_suffix="_gtFine_labelIds.png" read
    Cityscapes. label_map and reduce_zero_label are those of `LabelValues`.

    split: "train" and "val" divide one folder, val_fraction of it for "val", by the
    name of each file. strict: an image without a mask is an error; otherwise `unpaired`
    lists such images, and the data set goes without them.
    config_key: the node of the configuration, for messages.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        labels: ClassInfo,
        images: str = "images/train",
        masks: str = "masks/train",
        image_suffixes: Sequence[str] = IMAGE_SUFFIXES,
        mask_suffix: str = ".png",
        label_map: Mapping[int | str, int | str] | None = None,
        reduce_zero_label: bool = False,
        split: Split = "all",
        val_fraction: float = 0.1,
        strict: bool = True,
        config_key: str = "data.train",
    ) -> None:
        self.labels = labels
        self.values = LabelValues(labels, label_map, reduce_zero_label=reduce_zero_label)
        self.has_label_map = label_map is not None or reduce_zero_label
        found = PairedFolder(
            root,
            images=images,
            targets=masks,
            image_suffixes=image_suffixes,
            target_suffix=mask_suffix,
            options=("masks", "mask_suffix"),
            what="masks",
            split=split,
            val_fraction=val_fraction,
            strict=strict,
            config_key=config_key,
        )
        self.pairs, self.unpaired = found.pairs, found.unpaired

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, image_file, mask_file = self.pairs[index]
        image = read_image(image_file)
        mask = read_mask(mask_file)
        check_same_size(image, image_file, mask, mask_file)
        return {"image": image, "target": self.values.to_classes(mask, mask_file), "name": name}

    def files(self, index: int) -> dict[str, Path | str]:
        """The image file and the mask of one item."""
        return {"image": self.pairs[index].image, "target": self.pairs[index].target}


class LabelValues:
    """The meaning of the raw values of masks, as a table: raw value -> class index or
    ignore_index.

    label_map: raw value -> class index, or "ignore"; it is complete when given.
    reduce_zero_label: 0 is ignored and k is class k - 1 (mmsegmentation's option).
    Without both, the values 0..num_classes-1 are the classes, and ignore_index is
    ignored. Masks of 0 and 255 for two classes need {0: 0, 255: 1}, because 255 is also
    the usual ignore_index.
    Raises UserError where label_map leads to a class that does not exist.
    """

    def __init__(
        self,
        labels: ClassInfo,
        label_map: Mapping[int | str, int | str] | None = None,
        *,
        reduce_zero_label: bool = False,
    ) -> None:
        self.ignore_index = labels.ignore_index
        self._extends, self._reduces = label_map is not None, reduce_zero_label
        self.meaning = _meaning(labels, label_map, reduce_zero_label=reduce_zero_label)
        self.table = np.full(max(256, max(self.meaning) + 1), UNKNOWN, dtype=np.int32)  # 256: any uint8 has its place
        self.table[list(self.meaning)] = list(self.meaning.values())
        self.dtype = _narrowest_type(labels.num_classes - 1, labels.ignore_index)

    def to_classes(self, raw: np.ndarray, file: str) -> np.ndarray:
        """(H, W) raw values -> (H, W) class indices. Raises UserError naming `file` for
        a value without a meaning.
        """
        if raw.dtype != np.uint8 and (raw.min() < 0 or raw.max() >= len(self.table)):
            raise self._unknown_values(raw, file)
        # OpenCV takes bytes only, but needs no index array
        target = cv2.LUT(raw, self.table[:256]) if raw.dtype == np.uint8 else self.table.take(raw)
        if target.min() == UNKNOWN:
            raise self._unknown_values(raw, file)
        return target.astype(self.dtype)

    def _unknown_values(self, raw: np.ndarray, file: str) -> UserError:
        counts = dict(zip(*(array.tolist() for array in np.unique(raw, return_counts=True)), strict=True))
        unknown = {value: count for value, count in counts.items() if value not in self.meaning}
        shown = ", ".join(f"{value} ({count} pixels)" for value, count in list(unknown.items())[:5])
        more = f" and {len(unknown) - 5} values more" if len(unknown) > 5 else ""
        return UnknownValuesError(
            f"{file} holds {shown}{more}; known are {_ranges(self.meaning)} (ignore_index is {self.ignore_index}): "
            f"{self._way_out(next(iter(unknown)))}, or name every class in data.labels.names."
        )

    def _way_out(self, unknown: int) -> str:
        """An option that ignores an unknown value, quoted for a shell."""
        if self._reduces:
            return "turn data.train.reduce_zero_label off"
        known = {} if self._extends else self.meaning  # Hydra's ++ adds to a label map that is there
        if len(known) > LONGEST_OVERRIDE:
            return f"list every value in data.train.label_map, with {unknown}: ignore"
        entries = {value: "ignore" if label == self.ignore_index else label for value, label in known.items()}
        text = ", ".join(f"{value}: {label}" for value, label in sorted({**entries, unknown: "ignore"}.items()))
        return f"ignore it with '{'++' * self._extends}data.train.label_map={{{text}}}'"


def _meaning(
    labels: ClassInfo, label_map: Mapping[int | str, int | str] | None, *, reduce_zero_label: bool
) -> dict[int, int]:
    if label_map is not None and reduce_zero_label:
        raise UserError("data.train.label_map and data.train.reduce_zero_label both say what masks mean; keep one.")
    if label_map is not None:
        return _mapped_meaning(labels, label_map)
    ignored = {} if labels.ignore_index < 0 else {labels.ignore_index: labels.ignore_index}
    if reduce_zero_label:
        return {**ignored, 0: labels.ignore_index, **{index + 1: index for index in range(labels.num_classes)}}
    return {**ignored, **{index: index for index in range(labels.num_classes)}}


def _mapped_meaning(labels: ClassInfo, label_map: Mapping[int | str, int | str]) -> dict[int, int]:
    if not label_map:
        raise UserError("data.train.label_map is empty; leave it out, or list every raw value of the masks.")
    meaning: dict[int, int] = {}
    for key, wanted in label_map.items():
        raw = _whole_number(key)
        if raw is None or not 0 <= raw <= 65535:
            raise UserError(f"data.train.label_map lists the raw value {key!r}; use whole numbers in 0..65535.")
        label = _whole_number(wanted)
        if wanted == "ignore":
            label = labels.ignore_index
        elif label is None or not 0 <= label < labels.num_classes:
            raise UserError(
                f"data.train.label_map sends {raw} to {wanted!r}; use ignore or a class in "
                f"0..{labels.num_classes - 1}, or name more classes in data.labels.names."
            )
        if meaning.setdefault(raw, label) != label:
            raise UserError(f"data.train.label_map lists the raw value {raw} twice, with different meanings; keep one.")
    return meaning


def _whole_number(value: object) -> int | None:
    """A number that YAML or the command line may hand over as text; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    return None


def _narrowest_type(*values: int) -> np.dtype:
    """The narrowest integer type for these values, of those that torch has all
    operations for.
    """
    limits = [np.iinfo(dtype) for dtype in (np.uint8, np.int16, np.int32)]
    return next(limit.dtype for limit in limits if limit.min <= min(values) and max(values) <= limit.max)


def _ranges(values: Iterable[int]) -> str:
    """Whole numbers, briefly: 0, 1, 2, 255 -> "0..2, 255"."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], value]
        else:
            runs.append([value])
    return ", ".join("..".join(map(str, run)) for run in runs)
