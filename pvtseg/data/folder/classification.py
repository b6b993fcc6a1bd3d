"""One folder of images per class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from pvtseg.data.folder.listing import (
    IMAGE_SUFFIXES,
    LabeledImage,
    Split,
    find_files,
    folder_in,
    subfolders,
    take_split,
)
from pvtseg.data.io import read_image
from pvtseg.data.target_info import ClassInfo
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample


class ClassFolder(Dataset):
    """root/images/CLASS/**/NAME.jpg -> image (H, W, 3) uint8, target the class index.

    The folders are the classes. labels.names, when given, sets their order and has to
    agree with the folders. Otherwise the folder names are sorted.

    split: "train" and "val" divide one folder, val_fraction of it for "val", by the
    name of each file. strict: a class without images is an error.
    config_key: the node of the configuration, for messages.
    """

    unpaired: Sequence[str] = ()

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        images: str = "train",
        image_suffixes: Sequence[str] = IMAGE_SUFFIXES,
        labels: ClassInfo | None = None,
        split: Split = "all",
        val_fraction: float = 0.1,
        strict: bool = True,
        config_key: str = "data.train",
    ) -> None:
        folder = folder_in(root, images, key=f"{config_key}.images")
        found = discover_classes(root, images=images, config_key=config_key)
        self.labels = found if labels is None else _agreed(labels, found, str(folder))
        pairs = [
            LabeledImage(f"{name}/{item}", image, index)
            for index, name in enumerate(self.labels.names)
            for item, image in find_files(
                folder / name, image_suffixes, key="data.train.image_suffixes", needed=strict
            ).items()
        ]
        self.pairs = take_split(pairs, split, val_fraction, config_key)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, image, label = self.pairs[index]
        return {"image": read_image(image), "target": label, "name": name}

    def files(self, index: int) -> dict[str, Path | str]:
        """The file of one image."""
        return {"image": self.pairs[index].image}


def discover_classes(
    root: str | os.PathLike[str],
    *,
    images: str = "train",
    names: Sequence[str] | None = None,
    ignore_index: int = -1,
    palette: Sequence[Sequence[int]] | None = None,
    config_key: str = "data.train",
) -> ClassInfo:
    """The classes: the folders of root/images in sorted order, or in the order of `names`."""
    folder = folder_in(root, images, key=f"{config_key}.images")
    found = subfolders(folder)
    if not found:
        raise UserError(
            f"{folder} has no folders; sort the images into one folder per class, or set {config_key}.images."
        )
    return ClassInfo(names or found, ignore_index=ignore_index, palette=palette)


def _agreed(labels: ClassInfo, found: ClassInfo, where: str) -> ClassInfo:
    """The given labels, once the folders agree with them; a mere number of classes
    takes the folders' names.
    """
    if not labels.named:
        if labels.num_classes != found.num_classes:
            raise UserError(
                f"{where} has {found.num_classes} folders, one per class, but data.labels.num_classes is "
                f"{labels.num_classes}; correct it, or leave data.labels out."
            )
        return ClassInfo(found.names, ignore_index=labels.ignore_index, palette=labels.palette)
    missing = [name for name in labels.names if name not in found.names]
    spare = [name for name in found.names if name not in labels.names]
    if missing or spare:
        raise UserError(
            f"{where} lacks folders for {', '.join(missing) or 'none'} of data.labels.names and has others: "
            f"{', '.join(spare) or 'none'}; make folders and data.labels.names agree, or leave data.labels out."
        )
    return labels
