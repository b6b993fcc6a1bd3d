"""Images and masks in directories."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.listing import IMAGE_SUFFIXES, Part, find_files, folder_in, pair, take_part
from pvtseg.data.labels import Labels
from pvtseg.data.reading import read_image, read_mask
from pvtseg.interfaces import Sample, UserError

UNKNOWN = np.iinfo(np.int32).min  # stands in the table for raw values that mean nothing


class SegmentationFolder(Dataset):
    """root/images/**/NAME.jpg with root/masks/**/NAME + mask_suffix. -> image (H, W, 3) uint8, target (H, W) class indices.

    An image suffix is everything that follows the name: image_suffixes=("_leftImg8bit.png",) and
    mask_suffix="_gtFine_labelIds.png" read Cityscapes.

    label_map says what each raw value of the masks means: a class index, or "ignore". When given it is complete. Without it the
    values 0..num_classes-1 are the classes themselves, and ignore_index is ignored. A mask with any other value is an error, which
    names the value: nothing is dropped unsaid. Masks of 0 and 255 for two classes therefore want {0: 0, 255: 1}, for 255 is
    also the usual ignore_index.

    part splits one folder in two: "train" and "val" by val_fraction, decided by the name of each file.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        labels: Labels,
        images: str = "images/train",
        masks: str = "masks/train",
        image_suffixes: Sequence[str] = IMAGE_SUFFIXES,
        mask_suffix: str = ".png",
        label_map: Mapping[int | str, int | str] | None = None,
        part: Part = "all",
        val_fraction: float = 0.1,
    ) -> None:
        self.labels = labels
        self.values = LabelValues(labels, label_map)
        mask_folder = folder_in(root, masks, option="data.masks")
        image_folder = folder_in(root, images, option="data.images")
        mask_files = find_files(mask_folder, [mask_suffix], option="data.mask_suffix")
        image_files = find_files(
            image_folder,
            image_suffixes,
            option="data.image_suffixes",
            without=set(mask_files.values()),  # images and masks may share a folder
        )
        options = "data.masks, data.mask_suffix or data.image_suffixes"
        pairs = pair(image_files, mask_files, what="masks", where=mask_folder, options=options)
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

    def __init__(self, labels: Labels, label_map: Mapping[int | str, int | str] | None = None) -> None:
        self.labels = labels
        self.meaning = _own_meaning(labels) if label_map is None else _mapped_meaning(labels, label_map)
        self.table = np.full(max(256, max(self.meaning) + 1), UNKNOWN, dtype=np.int32)
        self.table[list(self.meaning)] = list(self.meaning.values())
        # The narrowest type that holds every class and ignore_index: masks are moved about a lot.
        self.dtype = np.result_type(np.min_scalar_type(labels.num_classes - 1), np.min_scalar_type(labels.ignore_index))

    def to_classes(self, raw: np.ndarray, file: str) -> np.ndarray:
        """(H, W) raw values -> (H, W) class indices. A value that means nothing is a UserError naming `file`."""
        if raw.dtype != np.uint8 and (raw.min() < 0 or raw.max() >= len(self.table)):
            raise self._unknown_values(raw, file)
        target = self.table.take(raw)
        if target.min() == UNKNOWN:
            raise self._unknown_values(raw, file)
        return target.astype(self.dtype)

    def _unknown_values(self, raw: np.ndarray, file: str) -> UserError:
        values, counts = np.unique(raw, return_counts=True)
        unknown = [(value, count) for value, count in zip(values.tolist(), counts.tolist()) if value not in self.meaning]
        shown = ", ".join(f"{value} ({count} pixels)" for value, count in unknown[:5])
        more = f" and {len(unknown) - 5} more values" if len(unknown) > 5 else ""
        return UserError(
            f"{file} holds {shown}{more}, where {_ranges(self.meaning)} are known (ignore_index is {self.labels.ignore_index}); "
            f"say what each value means with data.label_map, such as {{{unknown[0][0]}: ignore}}, or name every class in "
            "data.labels.names"
        )


def check_same_size(image: np.ndarray, image_file: str, target: np.ndarray, target_file: str) -> None:
    """Raises UserError naming both files unless the image and what belongs to it have one height and width."""
    if image.shape[:2] != target.shape[:2]:
        (height, width), (other_height, other_width) = image.shape[:2], target.shape[:2]
        raise UserError(
            f"{image_file} is {height} high and {width} wide but {target_file} is {other_height} by {other_width}; wanted is one size: "
            "export the pair anew, or take it out of the data set"
        )


def _own_meaning(labels: Labels) -> dict[int, int]:
    meaning = {value: value for value in range(labels.num_classes)}
    if labels.ignore_index >= 0:
        meaning[labels.ignore_index] = labels.ignore_index
    return meaning


def _mapped_meaning(labels: Labels, label_map: Mapping[int | str, int | str]) -> dict[int, int]:
    if not label_map:
        raise UserError("data.label_map is empty; leave it out, or list every raw value of the masks")
    meaning = {}
    for key, wanted in label_map.items():
        raw = _integer(key)
        if raw is None or not 0 <= raw <= 65535:
            raise UserError(f"data.label_map lists the raw value {key!r}; wanted is a whole number in 0..65535")
        label = labels.ignore_index if wanted == "ignore" else _integer(wanted)
        if label is None or (wanted != "ignore" and not 0 <= label < labels.num_classes):
            raise UserError(
                f"data.label_map sends {raw} to {wanted!r}; wanted is a class in 0..{labels.num_classes - 1} or ignore: "
                "correct it, or name more classes in data.labels.names"
            )
        if meaning.setdefault(raw, label) != label:
            raise UserError(f"data.label_map lists the raw value {raw} twice, with different meanings; keep one")
    return meaning


def _integer(value: int | str) -> int | None:
    """A whole number that YAML or the command line may have handed over as text; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return int(value) if isinstance(value, str) or int(value) == value else None
    except (TypeError, ValueError):
        return None


def _ranges(values: Mapping[int, int]) -> str:
    """Whole numbers, briefly: {0, 1, 2, 255} -> "0..2, 255"."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], value]
        else:
            runs.append([value])
    return ", ".join("..".join(map(str, run)) for run in runs)
