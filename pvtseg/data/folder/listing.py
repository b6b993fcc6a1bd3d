"""Which files there are, and which belong together. Only names are looked at; no file is opened."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pvtseg.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

Part = Literal["all", "train", "val"]

log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """An image file and what belongs to it: another file or, in a folder of classes, the class index."""

    name: str
    image: str
    target: str | int


def folder_in(root: str | os.PathLike[str], subfolder: str, *, option: str) -> Path:
    """root/subfolder. Where it is missing, the error says what is there instead, and which option chooses among it."""
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"data.root={root} is {_nature(root)}; set data.root to the folder that holds your data")
    folder = root / subfolder
    if not folder.is_dir():
        beside = ", ".join(subfolders(root)) or "no folders"
        raise UserError(
            f"{option}={subfolder} is {_nature(folder)}; data.root={root} holds {beside}: set {option} to one of them"
        )
    return folder


def subfolders(folder: Path) -> list[str]:
    """The names of the visible folders directly below, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def find_files(
    folder: Path, suffixes: Sequence[str], *, option: str, without: Collection[str] = frozenset(), needed: bool = True
) -> dict[str, str]:
    """Every file below the folder whose name ends in a suffix (in any case): its name without that ending -> its path.

    Names are relative to the folder and sorted. Hidden files and folders are left out, and so are the paths in
    `without`. Of several suffixes that fit, the longest is taken off. Two files of one name are an error,
    and so is no file where one is `needed`.
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
            raise UserError(f"{found[name]} and {path} share the name {name}; keep one of them, or narrow {option}")
        found[name] = path
    if needed and not found:
        raise UserError(f"{folder} holds no file that ends in {' or '.join(endings)}; put files there, or set {option}")
    return found


def pair_up(images: Mapping[str, str], targets: Mapping[str, str], *, what: str, where: Path, options: str) -> list[Pair]:
    """Images and targets of the same name, in the images' order.

    An image without a target is an error; a target without an image is mentioned in the log. `what` names the targets,
    in the plural; `options` are those that may mend a mismatch.
    """
    alone = [name for name in images if name not in targets]
    if alone:
        raise UserError(
            f"{len(alone)} of {len(images)} images have no partner among the {what} in {where}, such as {_some(alone)} "
            f"(there are {what} for {_some(targets)}); complete the {what}, or set {options}"
        )
    spare = [name for name in targets if name not in images]
    if spare:
        log.warning("%d of the %s in %s have no image, such as %s", len(spare), what, where, _some(spare))
    return [Pair(name, image, targets[name]) for name, image in images.items()]


def take_unpaired(images: dict[str, str], targets: Mapping[str, str]) -> list[str]:
    """Takes the images without target out of `images`, and returns their paths."""
    return [images.pop(name) for name in list(images) if name not in targets]


def take_part(pairs: Sequence[Pair], part: Part, val_fraction: float) -> list[Pair]:
    """All pairs, or the share set aside for validation, or the others.

    A hash of its name alone decides where a pair goes: files that are added later move no other. Frames of one video
    are near copies of each other: keep those apart by hand, in a folder for each part.
    """
    if part not in ("all", "train", "val"):
        raise UserError(f"part is {part!r}; wanted is all, train or val")
    if not 0 < val_fraction < 1:
        raise UserError(f"val_fraction is {val_fraction}; wanted is a share between 0 and 1, such as 0.1")
    if part == "all":
        return list(pairs)
    chosen = [pair for pair in pairs if (_share(pair.name) < val_fraction) == (part == "val")]
    if not chosen:
        raise UserError(
            f"part={part} with val_fraction={val_fraction} holds none of the {len(pairs)} images; change val_fraction"
        )
    return chosen


def _share(name: str) -> float:
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
