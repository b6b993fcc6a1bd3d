"""One folder of images per class."""

from __future__ import annotations

import os
from collections.abc import Sequence

from torch.utils.data import Dataset

from pvtseg.data.folder.listing import IMAGE_SUFFIXES, Pair, Part, find_files, folder_in, subfolders, take_part
from pvtseg.data.labels import Labels
from pvtseg.data.reading import read_image
from pvtseg.interfaces import Sample, UserError


class ClassFolder(Dataset):
    """root/images/CLASS/**/NAME.jpg. -> image (H, W, 3) uint8, target the index of the class.

    The folders are the classes. labels.names, when given, sets their order and has to name every folder; otherwise the order is
    that of the sorted folder names. part splits one folder in two: "train" and "val" by val_fraction, decided by the name of
    each file.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        images: str = "train",
        image_suffixes: Sequence[str] = IMAGE_SUFFIXES,
        labels: Labels | None = None,
        part: Part = "all",
        val_fraction: float = 0.1,
    ) -> None:
        found = self.discover(root, images=images)
        self.labels = found if labels is None else _agreed(labels, found, f"{root}/{images}")
        folder = folder_in(root, images, option="data.images")
        pairs = [
            Pair(f"{name}/{item}", image, index)
            for index, name in enumerate(self.labels.names)
            for item, image in find_files(folder / name, image_suffixes, option="data.image_suffixes").items()
        ]
        self.pairs = take_part(pairs, part, val_fraction)

    @staticmethod
    def discover(root: str | os.PathLike[str], *, images: str = "train") -> Labels:
        """The classes that the folders of root/images name, in sorted order."""
        folder = folder_in(root, images, option="data.images")
        names = subfolders(folder)
        if not names:
            raise UserError(
                f"{folder.absolute()} has no folders; wanted is one per class, with its images: sort them so, or set data.images"
            )
        return Labels(names)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, image, label = self.pairs[index]
        return {"image": read_image(image), "target": label, "name": name}


def _agreed(labels: Labels, found: Labels, where: str) -> Labels:
    """The labels that were asked for, once the folders bear them out; their names from the folders where only counted."""
    if not labels.named and labels.num_classes == found.num_classes:
        return Labels(found.names, ignore_index=labels.ignore_index, palette=labels.palette)
    if not labels.named:
        raise UserError(
            f"{where} has {found.num_classes} folders, one per class, but data.labels.num_classes is {labels.num_classes}; "
            "correct the number, or leave data.labels out"
        )
    missing = [name for name in labels.names if name not in found.names]
    spare = [name for name in found.names if name not in labels.names]
    if missing or spare:
        lacks = [f"no folder for {', '.join(missing)}"] if missing else []
        unnamed = [f"the unnamed folder {', '.join(spare)}"] if spare else []
        raise UserError(
            f"{where} has {' and '.join(lacks + unnamed)}; data.labels.names and the folders have to agree: "
            "mend one, or leave data.labels out"
        )
    return labels
