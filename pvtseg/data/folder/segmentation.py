"""Images and masks in directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.listing import IMAGE_SUFFIXES, Part, find_files, folder_in, pair_up, take_part, take_unpaired
from pvtseg.data.io import check_same_size, read_image, read_mask
from pvtseg.data.target_info import ClassInfo
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample

UNKNOWN = np.iinfo(np.int32).min  # stands in the table for raw values that mean nothing


class UnknownValuesError(UserError):
    """A mask holds values that mean nothing."""


class SegmentationFolder(Dataset):
    """root/images/**/NAME.jpg with root/masks/**/NAME + mask_suffix. -> image (H, W, 3) uint8, target (H, W) classes.

    An image suffix is everything that follows the name: image_suffixes=["_leftImg8bit.png"] and
    mask_suffix="_gtFine_labelIds.png" read Cityscapes.

    label_map says what each raw value of the masks means: a class index, or "ignore". When given it is complete.
    Without it the values 0..num_classes-1 are the classes themselves, and ignore_index is ignored. Any other value is
    an error that names the mask and the value. So masks of 0 and 255 for two classes want {0: 0, 255: 1}, because
    255 is also the usual ignore_index.

    part: "train" and "val" split one folder in two, val_fraction of it for "val", decided by the name of each file.
    strict: an image without mask is an error. Otherwise `unpaired` lists such images, and the data set goes without them.
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
        part: Part = "all",
        val_fraction: float = 0.1,
        strict: bool = True,
    ) -> None:
        self.labels = labels
        self.values = LabelValues(labels, label_map)
        image_folder = folder_in(root, images, option="images")
        mask_folder = folder_in(root, masks, option="masks")
        mask_files = find_files(mask_folder, [mask_suffix], option="mask_suffix")
        other_files = set(mask_files.values())  # images and masks may share a folder
        image_files = find_files(image_folder, image_suffixes, option="image_suffixes", without=other_files)
        self.unpaired = [] if strict else take_unpaired(image_files, mask_files)
        options = "masks, mask_suffix or image_suffixes"
        pairs = pair_up(image_files, mask_files, what="masks", where=mask_folder, options=options)
        self.pairs = take_part(pairs, part, val_fraction)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, image_file, mask_file = self.pairs[index]
        image = read_image(image_file)
        mask = read_mask(mask_file)
        check_same_size(image, image_file, mask, mask_file)
        return {"image": image, "target": self.values.to_classes(mask, mask_file), "name": name}


class LabelValues:
    """What the raw values of masks mean, as a table: raw value -> class index or ignore_index.

    Raises UserError where label_map leads to a class that does not exist.
    """

    def __init__(self, labels: ClassInfo, label_map: Mapping[int | str, int | str] | None = None) -> None:
        self.ignore_index = labels.ignore_index
        self.meaning = _own_meaning(labels) if label_map is None else _mapped_meaning(labels, label_map)
        self.table = np.full(max(256, max(self.meaning) + 1), UNKNOWN, dtype=np.int32)  # 256: any uint8 has its place
        self.table[list(self.meaning)] = list(self.meaning.values())
        self.dtype = _narrowest_type(labels.num_classes - 1, labels.ignore_index)

    def to_classes(self, raw: np.ndarray, file: str) -> np.ndarray:
        """(H, W) raw values -> (H, W) class indices. A value that means nothing is a UserError naming `file`."""
        if raw.dtype != np.uint8 and (raw.min() < 0 or raw.max() >= len(self.table)):
            raise self._unknown_values(raw, file)
        # OpenCV knows bytes only, but need not make places of them first
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
            f"say what each value means with data.train.label_map, such as {{{next(iter(unknown))}: ignore}}, "
            "or name every class in data.labels.names"
        )


def _own_meaning(labels: ClassInfo) -> dict[int, int]:
    classes = {index: index for index in range(labels.num_classes)}
    return classes if labels.ignore_index < 0 else {**classes, labels.ignore_index: labels.ignore_index}


def _mapped_meaning(labels: ClassInfo, label_map: Mapping[int | str, int | str]) -> dict[int, int]:
    if not label_map:
        raise UserError("data.train.label_map is empty; leave it out, or list every raw value of the masks")
    meaning: dict[int, int] = {}
    for key, wanted in label_map.items():
        raw = _whole_number(key)
        if raw is None or not 0 <= raw <= 65535:
            raise UserError(f"data.train.label_map lists the raw value {key!r}; wanted is a whole number in 0..65535")
        label = _whole_number(wanted)
        if wanted == "ignore":
            label = labels.ignore_index
        elif label is None or not 0 <= label < labels.num_classes:
            raise UserError(
                f"data.train.label_map sends {raw} to {wanted!r}; wanted is ignore or a class in "
                f"0..{labels.num_classes - 1}: correct it, or name more classes in data.labels.names"
            )
        if meaning.setdefault(raw, label) != label:
            raise UserError(f"data.train.label_map lists the raw value {raw} twice, with different meanings; keep one")
    return meaning


def _whole_number(value: object) -> int | None:
    """A number that YAML or the command line may hand over as text; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    return None


def _narrowest_type(*values: int) -> np.dtype:
    """For masks, which are moved about a lot. Of the types that torch knows all operations for."""
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
