"""Images and their depth maps: pairs of files, and those that lie in directories."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.listing import IMAGE_SUFFIXES, Pair, PairedFolder, Split
from pvtseg.data.io import check_same_size, read_depth, read_image
from pvtseg.data.target_info import DepthRange
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample


class DepthPairs(Dataset):
    """Pairs of an image and a depth map -> image (H, W, 3) uint8, target (H, W) float32
    meters, 0 where invalid.

    scale: meters per unit of the files, integer or not: 0.001 for millimeters, 1/256
    for KITTI, 1 for meters. invalid: the values in the files that mean invalid depth.
    range: the depths to learn and to measure. Depth outside of it is invalid; it is not
    clipped, because a wall at 12 m is not one at 10 m.

    strict: opens the first depth map, and raises UserError if its valid depth lies
    outside of the range. unpaired: paths of images without a depth map.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        range: DepthRange,
        scale: float = 0.001,
        invalid: Sequence[float] = (0,),
        strict: bool = True,
        unpaired: Sequence[str] = (),
    ) -> None:
        if not scale > 0:
            raise UserError(f"data.train.scale is {scale}; use the meters per unit of the depth files, such as 0.001.")
        self.pairs = list(pairs)
        self.unpaired = unpaired
        self.range = range
        self.scale = scale
        self.invalid = tuple(invalid)
        if strict:
            self._check_scale()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, image_file, depth_file = self.pairs[index]
        image = read_image(image_file)
        depth = self.valid_depth(index)
        check_same_size(image, image_file, depth, depth_file)
        return {"image": image, "target": self.range.keep(depth), "name": name}

    def files(self, index: int) -> dict[str, Path | str]:
        """The image file and the depth map of one item."""
        return {"image": self.pairs[index].image, "target": self.pairs[index].target}

    def valid_depth(self, index: int) -> np.ndarray:
        """The depth map of one item, in range or not: (H, W) float32 meters, 0 where it
        is invalid.
        """
        return read_depth(self.pairs[index].target, self.scale, self.invalid)

    def _check_scale(self) -> None:
        depth = self.valid_depth(0)
        valid = depth[depth > 0]
        if valid.size and not self.range.keep(valid).any():
            raise UserError(
                f"{self.pairs[0].target} holds {valid.min():.4g}..{valid.max():.4g} m "
                f"with data.train.scale={self.scale}, all of it outside {self.range.min}..{self.range.max} m; "
                "set data.train.scale to the meters per unit of the file, or widen data.depth.min and data.depth.max."
            )


class DepthFolder(DepthPairs):
    """root/images/**/NAME.jpg with root/depths/**/NAME + depth_suffix -> image and
    target as in `DepthPairs`.

    range, scale and invalid are those of `DepthPairs`.
    split: "train" and "val" divide one folder, val_fraction of it for "val", by the
    name of each file. strict: that of `DepthPairs`, and an image without a depth map is
    an error; otherwise `unpaired` lists such images.
    config_key: the node of the configuration, for messages.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        range: DepthRange,
        images: str = "images/train",
        depths: str = "depth/train",
        image_suffixes: Sequence[str] = IMAGE_SUFFIXES,
        depth_suffix: str = ".png",
        scale: float = 0.001,
        invalid: Sequence[float] = (0, 65535),
        split: Split = "all",
        val_fraction: float = 0.1,
        strict: bool = True,
        config_key: str = "data.train",
    ) -> None:
        found = PairedFolder(
            root,
            images=images,
            targets=depths,
            image_suffixes=image_suffixes,
            target_suffix=depth_suffix,
            options=("depths", "depth_suffix"),
            what="depth maps",
            split=split,
            val_fraction=val_fraction,
            strict=strict,
            config_key=config_key,
        )
        super().__init__(found.pairs, range=range, scale=scale, invalid=invalid, strict=strict, unpaired=found.unpaired)
