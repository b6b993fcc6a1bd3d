"""ImageNet's 1,000 classes (ILSVRC 2012, https://arxiv.org/abs/1409.0575): class
folders, or the original archives.

A class is known by its WordNet id; in sorted order they make the class indices that
every published checkpoint uses.
"""

from __future__ import annotations

import io
import logging
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.classification import ClassFolder
from pvtseg.data.folder.listing import IMAGE_SUFFIXES, LabeledImage, find_files, subfolders
from pvtseg.data.io import read_image
from pvtseg.data.target_info import ClassInfo
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample
from pvtseg.paths import cache_file

TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"  # of one archive per class, n01440764.tar, ...
VAL_ARCHIVE = "ILSVRC2012_img_val.tar"  # of images in no order; the development kit has their classes
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
DAMAGED = (tarfile.TarError, EOFError, OSError, KeyError, ValueError, TypeError)

log = logging.getLogger(__name__)


class Member(NamedTuple):
    """An image in an archive: it begins at byte `start` and is `size` bytes long."""

    name: str
    label: int
    start: int
    size: int


def imagenet_labels(
    *,
    names: list[str] | None = None,
    num_classes: int = 1000,
    ignore_index: int = -1,
    palette: list[list[int]] | None = None,
) -> ClassInfo:
    """The classes with the English names that torchvision's weights carry."""
    if names is None and num_classes == 1000:
        from torchvision.models import ResNet18_Weights

        names = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    return ClassInfo(names, num_classes, ignore_index, palette)


def imagenet(
    root: str | os.PathLike[str], *, split: Literal["train", "val"], labels: ClassInfo, strict: bool = True
) -> Dataset:
    """The images of one split, in whichever form they lie in root.

    root/train/WNID/*.JPEG and root/val/WNID/*.JPEG; or root/val/*.JPEG beside the
    development kit, from the unpacked archive; or the archives themselves, read without
    unpacking. strict: a class without images is an error.
    Raises UserError where none of this is there, or the number of classes is not that
    of `labels`.
    """
    if split not in ("train", "val"):
        raise UserError(f"the split of ImageNet is {split!r}; use train or val.")
    root = Path(root).expanduser()
    folder = root / split
    if folder.is_dir() and subfolders(folder):
        counted = ClassInfo(num_classes=labels.num_classes, ignore_index=labels.ignore_index)
        return ClassFolder(root, images=split, labels=counted, strict=strict, config_key=f"data.{split}")
    archive = root / (TRAIN_ARCHIVE if split == "train" else VAL_ARCHIVE)
    if split == "val" and folder.is_dir():
        return LabeledImages(folder, _read_devkit(root / DEVKIT))
    if archive.is_file():
        members = _index(archive, root / DEVKIT)
        _check_classes(archive, members, labels)
        return ArchivedImages(archive, members)
    raise UserError(
        f"data.root={root} holds neither a folder {split} with one folder per class nor {archive.name}; "
        "run pvtseg download data=imagenet, which says how to get them, or set data.root to the folder that holds them."
    )


class LabeledImages(Dataset):
    """The images of one folder, and their labels in the order of the file names ->
    image (H, W, 3) uint8, class index.
    """

    unpaired: Sequence[str] = ()

    def __init__(self, folder: Path, labels: list[int]) -> None:
        files = find_files(folder, IMAGE_SUFFIXES, key="data.root")
        if len(files) != len(labels):
            raise UserError(
                f"{folder} holds {len(files)} images, {DEVKIT} has labels for {len(labels)}; "
                f"unpack {VAL_ARCHIVE} again."
            )
        self.pairs = [
            LabeledImage(name, file, label) for (name, file), label in zip(files.items(), labels, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, file, label = self.pairs[index]
        return {"image": read_image(file), "target": label, "name": name}

    def files(self, index: int) -> dict[str, Path | str]:
        """The file of one image."""
        return {"image": self.pairs[index].image}


class ArchivedImages(Dataset):
    """The images of an archive that stays packed -> image (H, W, 3) uint8, target the
    class index.
    """

    unpaired: Sequence[str] = ()

    def __init__(self, archive: Path, members: np.ndarray) -> None:
        self.archive = archive
        self.members = members

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> Sample:
        name, label, start, size = self.members[index].item()
        with self.archive.open("rb") as file:  # for each image: an open file cannot be sent to a worker
            file.seek(start)
            content = file.read(size)
        return {"image": read_image(f"{self.archive}/{name}", content), "target": label, "name": name}

    def files(self, index: int) -> dict[str, Path | str]:
        """The archive and the name of one image in it."""
        return {"image": f"{self.archive}/{self.members[index]['name']}"}


def _index(archive: Path, devkit: Path) -> np.ndarray:
    """The members of the archive, as a structured array.

    Finding them takes minutes, so they are kept in the cache (`cache_file`).
    """
    kept = cache_file("archives", archive, ".npy")
    if kept.is_file() and kept.stat().st_mtime >= archive.stat().st_mtime:
        return np.load(kept, allow_pickle=False)
    log.warning("finding the images in %s; it takes minutes, once", archive)
    try:
        found = list(
            _train_members(archive) if archive.name == TRAIN_ARCHIVE else _val_members(archive, _read_devkit(devkit))
        )
    except DAMAGED as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{archive} cannot be read: {error}; download it again.") from error
    longest = max((len(member.name) for member in found), default=1)
    members = np.array(found, dtype=[("name", f"U{longest}"), ("label", "i8"), ("start", "i8"), ("size", "i8")])
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, members)
    except OSError as error:
        log.warning("%s cannot be written (%s): the next run will read %s again", kept, error, archive)
    return members


def _train_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as classes:
        members = sorted((member for member in classes if member.name.endswith(".tar")), key=lambda member: member.name)
        for label, member in enumerate(members):
            wnid = member.name.removesuffix(".tar")
            with tarfile.open(fileobj=classes.extractfile(member)) as images:
                for image in images:
                    yield Member(
                        f"{wnid}/{Path(image.name).name}", label, member.offset_data + image.offset_data, image.size
                    )


def _val_members(archive: Path, labels: list[int]) -> Iterator[Member]:
    with tarfile.open(archive) as images:
        members = sorted((member for member in images if member.isfile()), key=lambda member: member.name)
        if len(members) != len(labels):
            raise UserError(
                f"{archive} holds {len(members)} images, {DEVKIT} has labels for {len(labels)}; download both again."
            )
        for label, image in zip(labels, members, strict=True):
            yield Member(Path(image.name).name, label, image.offset_data, image.size)


def _read_devkit(devkit: Path) -> list[int]:
    """The class index of each validation image, in the order of the file names.

    The development kit numbers the classes in another order; its meta.mat has the
    WordNet id of each number.
    """
    from scipy.io import loadmat

    if not devkit.is_file():
        raise UserError(
            f"{devkit} is missing; it holds the classes of the validation images: put it there "
            "(pvtseg download data=imagenet prints the address)."
        )
    try:
        with tarfile.open(devkit) as archive:
            data = f"{archive.getnames()[0].partition('/')[0]}/data"
            numbers = _content(archive, f"{data}/ILSVRC2012_validation_ground_truth.txt").split()
            meta = loadmat(io.BytesIO(_content(archive, f"{data}/meta.mat")), squeeze_me=True)["synsets"]
    except DAMAGED as error:
        raise UserError(f"{devkit} is not the development kit ({error}); download it again.") from error
    wnids = {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in meta if entry["num_children"] == 0}
    index = {number: label for label, (number, _) in enumerate(sorted(wnids.items(), key=lambda item: item[1]))}
    return [index[int(number)] for number in numbers]


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is not a file.")
    return file.read()


def _check_classes(archive: Path, members: np.ndarray, labels: ClassInfo) -> None:
    found = int(members["label"].max()) + 1 if len(members) else 0
    if archive.name == TRAIN_ARCHIVE and found != labels.num_classes:
        raise UserError(f"{archive} holds {found} classes; expected {labels.num_classes}: download it again.")
