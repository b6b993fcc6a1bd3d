"""Lists files and pairs them by name. No file is opened."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from pvtseg.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

Split = Literal["all", "train", "val"]

log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """An image file and the file of its target."""

    name: str
    image: str
    target: str


class LabeledImage(NamedTuple):
    """An image file and its class index."""

    name: str
    image: str
    target: int


Item = TypeVar("Item", Pair, LabeledImage)


class PairedFolder:
    """Image files and target files of the same name, in two folders below root.

    images, targets: the folders; they may be the same. options: the names of the
    options behind `targets` and `target_suffix`, for messages. what: the targets in
    the plural, for messages. split, val_fraction: as in `take_split`.
    strict: an image without a target is a UserError. Otherwise `unpaired` lists the
    paths of such images, and they are left out of `pairs`.
    config_key: the node of the configuration, for messages.
    """

    pairs: list[Pair]
    unpaired: list[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        images: str,
        targets: str,
        image_suffixes: Sequence[str],
        target_suffix: str,
        options: tuple[str, str],
        what: str,
        split: Split,
        val_fraction: float,
        strict: bool,
        config_key: str,
    ) -> None:
        targets_key, suffix_key = f"{config_key}.{options[0]}", f"data.train.{options[1]}"
        image_folder = folder_in(root, images, key=f"{config_key}.images")
        target_folder = folder_in(root, targets, key=targets_key)
        target_files = find_files(target_folder, [target_suffix], key=suffix_key)
        image_files = find_files(
            image_folder, image_suffixes, key="data.train.image_suffixes", without=set(target_files.values())
        )
        alone = [name for name in image_files if name not in target_files]
        if alone and strict:
            raise UserError(
                f"{len(alone)} of {len(image_files)} images have no partner among the {what} in {target_folder}, "
                f"such as {_some(alone)} (there are {what} for {_some(target_files)}); complete the {what}, or set "
                f"{targets_key}, {suffix_key} or data.train.image_suffixes."
            )
        self.unpaired = [image_files.pop(name) for name in alone]
        if alone:
            log.warning("%d images in %s have none of the %s and are left out", len(alone), image_folder, what)
        spare = [name for name in target_files if name not in image_files]
        if spare:
            log.warning("%d of the %s in %s have no image, such as %s", len(spare), what, target_folder, _some(spare))
        pairs = [Pair(name, image, target_files[name]) for name, image in image_files.items()]
        self.pairs = take_split(pairs, split, val_fraction, config_key)


def folder_in(root: str | os.PathLike[str], subfolder: str, *, key: str) -> Path:
    """root/subfolder. Raises UserError that says what is there instead; `key` is the
    option that chooses.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"data.root={root} is {_nature(root)}; set data.root to the folder that holds your data.")
    folder = root / subfolder
    if not folder.is_dir():
        beside = ", ".join(subfolders(root)) or "no folders"
        raise UserError(
            f"{key}={subfolder} is {_nature(folder)}; data.root={root} holds {beside}: set {key} to one of them."
        )
    return folder


def subfolders(folder: Path) -> list[str]:
    """The names of the visible folders directly below, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def find_files(
    folder: Path, suffixes: Sequence[str], *, key: str, without: Collection[str] = frozenset(), needed: bool = True
) -> dict[str, str]:
    """The files below the folder whose names end in a suffix, in any case: name without
    the suffix -> path.

    Names are relative to the folder and sorted. Hidden files and folders are left out,
    and so are the paths in `without`. Of several suffixes that fit, the longest counts.
    Raises UserError for two files of one name, and for no file where one is `needed`;
    `key` is the option that holds the suffixes.
    """
    endings = sorted((suffix.lower() for suffix in suffixes), key=len, reverse=True)
    found: dict[str, str] = {}
    for file in sorted(_visible_files(folder)):
        ending = next((ending for ending in endings if file.lower().endswith(ending)), None)
        path = f"{folder}/{file}"
        if ending is None or path in without:
            continue
        name = file[: -len(ending)]
        if name in found:
            raise UserError(f"{found[name]} and {path} share the name {name}; keep one of them, or narrow {key}.")
        found[name] = path
    if needed and not found:
        raise UserError(f"{folder} holds no file that ends in {' or '.join(endings)}; put files there, or set {key}.")
    return found


def take_split(pairs: Sequence[Item], split: Split, val_fraction: float, config_key: str) -> list[Item]:
    """All pairs, or those for validation (`val_fraction` of them), or the others.

    A hash of its name alone decides where a pair goes, so files that are added later
    move no other. Frames of one video are nearly the same: keep those in two folders.
    """
    if split not in ("all", "train", "val"):
        raise UserError(f"{config_key}.split is {split!r}; use all, train or val.")
    if not 0 < val_fraction < 1:
        raise UserError(f"data.train.val_fraction is {val_fraction}; use a fraction between 0 and 1, such as 0.1.")
    if split == "all":
        return list(pairs)
    chosen = [pair for pair in pairs if (_hash_of(pair.name) < val_fraction) == (split == "val")]
    if not chosen:
        raise UserError(
            f"{config_key}.split={split} with data.train.val_fraction={val_fraction} holds none of the {len(pairs)} "
            "images; change data.train.val_fraction."
        )
    return chosen


def _hash_of(name: str) -> float:
    """A number in 0..1 that depends on the name alone."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64


def _visible_files(folder: Path) -> Iterator[str]:
    """The files below the folder, relative to it, with forward slashes."""
    for directory, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(directory).relative_to(folder).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        yield from (prefix + name for name in files if not name.startswith("."))


def _nature(path: Path) -> str:
    return "not a folder" if path.exists() else "not there"


def _some(names: Iterable[str]) -> str:
    """The first few, for a message."""
    names = list(names)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
