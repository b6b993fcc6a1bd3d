"""Images and their depth maps: pairs of files, and those that lie in directories."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.listing import IMAGE_SUFFIXES, Pair, Part, find_files, folder_in, pair_up, take_part, take_unpaired
from pvtseg.data.io import check_same_size, read_depth, read_image
from pvtseg.data.target_info import DepthRange
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample


class DepthPairs(Dataset):
    """Pairs of an image and a depth map. -> image (H, W, 3) uint8, target (H, W) meters.

    scale: meters per unit of the files, be they integer or not: 0.001 for millimeters, 1/256 for KITTI, 1 for meters.
    invalid: values, as the files hold them, that mean "no reading", which is 0 in the target (float32).
    range: the depths to learn and to measure. A reading outside of it counts as no reading; it is not clipped, for
    a wall at 12 m is not one at 10 m.

    strict: opens one file, the first depth map, and refuses a scale with which none of its readings lies in range.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        range: DepthRange,
        scale: float = 0.001,
        invalid: Sequence[float] = (0,),
        strict: bool = True,
    ) -> None:
        if not scale > 0:
            raise UserError(f"data.train.scale is {scale}; wanted are the meters per unit of the depth files, such as 0.001")
        self.pairs = list(pairs)
        self.range = range
        self.scale = scale
        self.invalid = tuple(invalid)
        if strict:
            self._check_scale(self.pairs[0].target)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, image_file, depth_file = self.pairs[index]
        image = read_image(image_file)
        depth = self.readings(index)
        check_same_size(image, image_file, depth, depth_file)
        return {"image": image, "target": self.range.keep(depth), "name": name}

    def readings(self, index: int) -> np.ndarray:
        """All that one depth map says, in range or not: (H, W) float32 meters, 0 where there is no reading."""
        return read_depth(self.pairs[index].target, self.scale, self.invalid)

    def _check_scale(self, file: str) -> None:
        depth = read_depth(file, self.scale, self.invalid)
        readings = depth[depth > 0]
        if readings.size and not self.range.keep(readings).any():
            raise UserError(
                f"{file} reads {readings.min():.4g}..{readings.max():.4g} m with data.train.scale={self.scale}, all of it "
                f"outside {self.range.min}..{self.range.max} m; set data.train.scale to the meters per unit of the file, "
                "or widen data.depth"
            )


class DepthFolder(DepthPairs):
    """root/images/**/NAME.jpg with root/depths/**/NAME + depth_suffix. -> image (H, W, 3) uint8, target (H, W) meters.

    range, scale and invalid are those of `DepthPairs`.
    part: "train" and "val" split one folder in two, val_fraction of it for "val", decided by the name of each file.
    strict: an image without depth map is an error, and so is a scale that cannot be. Otherwise `unpaired` lists such images.
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
        part: Part = "all",
        val_fraction: float = 0.1,
        strict: bool = True,
    ) -> None:
        image_folder = folder_in(root, images, option="images")
        depth_folder = folder_in(root, depths, option="depths")
        depth_files = find_files(depth_folder, [depth_suffix], option="depth_suffix")
        other_files = set(depth_files.values())  # images and depth maps may share a folder
        image_files = find_files(image_folder, image_suffixes, option="image_suffixes", without=other_files)
        self.unpaired = [] if strict else take_unpaired(image_files, depth_files)
        options = "depths, depth_suffix or image_suffixes"
        pairs = pair_up(image_files, depth_files, what="depth maps", where=depth_folder, options=options)
        super().__init__(take_part(pairs, part, val_fraction), range=range, scale=scale, invalid=invalid, strict=strict)
