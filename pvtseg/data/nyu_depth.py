"""NYU depth v2 (https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html) in the two forms
in which it is distributed.

The raw frames as BTS (https://arxiv.org/abs/1907.10326) synchronized and listed them,
which AdaBins and GLPN took over: 24,231 for training. And the 1,449 labeled frames of
the authors, of which the official split keeps 654 for testing: the same 654 in either
form.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.depth import DepthPairs
from pvtseg.data.folder.listing import Pair, folder_in
from pvtseg.data.target_info import DepthRange
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample


class ListedDepth(DepthPairs):
    """The pairs of a list, one a line: an image, a depth map and, perhaps, a focal
    length, which is not used.

    root/folder holds the files that the list names. lists: the names that the list may
    have in root; the first that is there counts. Depths are 16-bit PNG with `scale`
    meters per unit. strict is that of `DepthPairs`.
    config_key: the node of the configuration, for messages.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        range: DepthRange,
        folder: str,
        lists: Sequence[str],
        scale: float = 0.001,
        invalid: Sequence[float] = (0,),
        strict: bool = True,
        config_key: str = "data.train",
    ) -> None:
        files = folder_in(root, folder, key=f"{config_key}.folder")
        pairs = [_pair(files, line) for line in _lines(Path(root).expanduser(), lists, f"{config_key}.lists")]
        super().__init__(pairs, range=range, scale=scale, invalid=invalid, strict=strict)


class LabeledNyuDepth(Dataset):
    """nyu_depth_v2_labeled.mat with the official split -> image (480, 640, 3) uint8,
    target (480, 640) float32 meters.

    split: "train" for the 795 frames of splits.mat's trainNdxs, "test" for the 654 of
    its testNdxs. filled: takes the depth maps whose holes the authors have filled in;
    BTS, AdaBins and GLPN measure the valid depth alone. border: blackens the edge of
    the image, where the color camera saw nothing, as they do. (Their files are JPEG and
    whole millimeters, so numbers may differ in the fourth digit.) Reading needs the
    package h5py; without it a UserError says how to get it.
    """

    FILE = "nyu_depth_v2_labeled.mat"
    SPLIT = "splits.mat"
    SEEN = slice(7, 474), slice(7, 632)  # rows and columns that are not edge
    scale = 1.0  # the file holds meters
    unpaired: Sequence[str] = ()

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        range: DepthRange,
        split: Literal["train", "test"],
        filled: bool = False,
        border: bool = True,
    ) -> None:
        self._h5py = _h5py()
        self.range = range
        self.border = border
        self._depths = "depths" if filled else "rawDepths"
        self.file = _found(Path(root).expanduser() / self.FILE)
        self.frames = _frames(_found(Path(root).expanduser() / self.SPLIT), split)
        with self._open() as content:
            count = len(content[self._depths])
        if max(self.frames) >= count:
            raise UserError(
                f"{self.file} holds {count} frames, {self.SPLIT} names number {max(self.frames) + 1}; "
                "take both files from one place: pvtseg download data=nyu_depth_labelled."
            )

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        frame = self.frames[index]
        with self._open() as content:
            image = np.ascontiguousarray(content["images"][frame].T)  # MATLAB counts columns first: (3, W, H)
        return {
            "image": self._with_border(image) if self.border else image,
            "target": self.range.keep(self.valid_depth(index)),
            "name": f"{self.file}/{frame + 1:04d}",
        }

    def files(self, index: int) -> dict[str, Path | str]:
        """The file that holds all frames, and the number of the frame in it."""
        frame = f"{self.file}/{self.frames[index] + 1:04d}"
        return {"image": frame, "target": frame}

    def valid_depth(self, index: int) -> np.ndarray:
        """The depth map of one item, in range or not: (480, 640) float32 meters, 0
        where it is invalid.
        """
        with self._open() as content:
            return np.ascontiguousarray(content[self._depths][self.frames[index]].T)

    def _with_border(self, image: np.ndarray) -> np.ndarray:
        black = np.zeros_like(image)
        black[self.SEEN] = image[self.SEEN]
        return black

    def _open(self) -> Any:
        # Opened for each frame, in milliseconds, because an open file cannot be sent to
        # a data-loading process.
        try:
            return self._h5py.File(self.file, "r")
        except OSError as error:
            raise UserError(
                f"{self.file} cannot be read: {' '.join(str(error).split())}; download it again."
            ) from error

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_h5py": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__ = {**state, "_h5py": _h5py()}


def _lines(root: Path, lists: Sequence[str], key: str) -> list[str]:
    for name in lists:
        if (root / name).is_file():
            lines = [line.strip() for line in (root / name).read_text().splitlines()]
            return [line for line in lines if line] or _empty(root / name)
    raise UserError(
        f"data.root={root} holds none of {', '.join(lists)}; put the list of BTS or of GLPN there (pvtseg download "
        f"data=nyu_depth says where it is), or set {key}."
    )


def _empty(file: Path) -> list[str]:
    raise UserError(f"{file} is empty; expected lines of an image and a depth map: restore it.")


def _pair(files: Path, line: str) -> Pair:
    image, depth, *_ = [*line.split(), "", ""]
    if not depth:
        raise UserError(f"the line {line!r} of the list is not an image and a depth map; restore the list.")
    image, depth = image.lstrip("/"), depth.lstrip("/")
    return Pair(image.rpartition(".")[0], f"{files}/{image}", f"{files}/{depth}")


def _frames(file: Path, split: str) -> list[int]:
    """The frames of a split, counted from 0."""
    from scipy.io import loadmat

    keys = {"train": "trainNdxs", "test": "testNdxs"}
    if split not in keys:
        raise UserError(f"the split of NYU depth is {split!r}; use {' or '.join(keys)}.")
    try:
        return [int(number) - 1 for number in loadmat(file)[keys[split]].ravel()]
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise UserError(f"{file} is not the official split ({error}); download it again.") from error


def _found(file: Path) -> Path:
    if not file.is_file():
        raise UserError(
            f"{file} is not there; run pvtseg download data=nyu_depth_labelled, "
            "or set data.root to the folder that holds it."
        )
    return file


def _h5py():
    try:
        import h5py
    except ImportError as error:
        raise UserError(
            "h5py, which reads NYU depth's labeled .mat file, is not installed; pip install 'pvtseg[nyu]'."
        ) from error
    return h5py
