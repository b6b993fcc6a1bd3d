"""Images and depth maps in directories."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from pvtseg.data.folder.listing import IMAGE_SUFFIXES, Part, find_files, folder_in, pair_up, take_part
from pvtseg.data.labels import DepthRange
from pvtseg.data.reading import check_same_size, read_depth, read_image
from pvtseg.interfaces import Sample, UserError


class DepthFolder(Dataset):
    """root/images/**/NAME.jpg with root/depths/**/NAME + depth_suffix. -> image (H, W, 3) uint8, target (H, W) metres.

    scale: metres per unit of the files, be they integer or not: 0.001 for millimetres, 1/256 for KITTI, 1 for metres.
    invalid: values, as the files hold them, that mean "no reading", which is 0 in the target (float32).
    range: the depths to learn and to measure. A reading outside of it counts as no reading; it is not clipped, for
    a wall at 12 m is not one at 10 m.

    The constructor opens one file, the first depth map: where none of its readings lies in range, scale is wrong.
    part: "train" and "val" split one folder in two, val_fraction of it for "val", decided by the name of each file.
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
    ) -> None:
        if not scale > 0:
            raise UserError(f"data.train.scale is {scale}; wanted are the metres per unit of the depth files, such as 0.001")
        self.range = range
        self.scale = scale
        self.invalid = tuple(invalid)
        image_folder = folder_in(root, images, option="images")
        depth_folder = folder_in(root, depths, option="depths")
        depth_files = find_files(depth_folder, [depth_suffix], option="depth_suffix")
        other_files = set(depth_files.values())  # images and depth maps may share a folder
        image_files = find_files(image_folder, image_suffixes, option="image_suffixes", without=other_files)
        options = "depths, depth_suffix or image_suffixes"
        pairs = pair_up(image_files, depth_files, what="depth maps", where=depth_folder, options=options)
        self.pairs = take_part(pairs, part, val_fraction)
        self._check_scale(self.pairs[0].target)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        name, image_file, depth_file = self.pairs[index]
        image = read_image(image_file)
        depth = read_depth(depth_file, self.scale, self.invalid)
        check_same_size(image, image_file, depth, depth_file)
        return {"image": image, "target": depth * self._in_range(depth), "name": name}

    def _in_range(self, depth: np.ndarray) -> np.ndarray:
        return (depth >= self.range.min) & (depth <= self.range.max)

    def _check_scale(self, file: str) -> None:
        depth = read_depth(file, self.scale, self.invalid)
        readings = depth[depth > 0]
        if readings.size and not self._in_range(readings).any():
            raise UserError(
                f"{file} reads {readings.min():.4g}..{readings.max():.4g} m with data.train.scale={self.scale}, all of it "
                f"outside {self.range.min}..{self.range.max} m; set data.train.scale to the metres per unit of the file, "
                "or widen data.depth"
            )
