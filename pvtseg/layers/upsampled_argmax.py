"""The class of each pixel from logits at a lower resolution, without the logits at full
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pvtseg.layers.precision import accurate_type, without_autocast
from pvtseg.layers.upsampling import channels_last, neighbors

MOST_LOGITS = 4 << 20  # pixels x classes that are interpolated at a time


@torch.no_grad()
def upsampled_argmax(logits: Tensor | Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The argmax of the upsampled logits: (B, K, h, w) -> class indices (B, height,
    width) int64, in bounded memory.

    The result is that of `F.interpolate(logits, size, mode="bilinear").argmax(dim=1)`;
    of equal classes, the lowest wins. Several logits, each at its own resolution, are
    each upsampled and turned into probabilities by a softmax; the class of the largest
    mean probability wins.

    Bilinear upsampling mixes four coarse pixels. If they agree in their argmax (in all
    logits), that class also wins after upsampling. Only the remaining pixels, along
    region borders, are interpolated.
    """
    several = [logits] if isinstance(logits, Tensor) else logits
    with without_autocast(several[0]):  # autocast would average in half precision
        grids = [_grid_of(each, size) for each in several]
        return torch.stack(
            [
                _argmax([CoarseMap(channels_last(each), *grid) for each, grid in zip(image, grids, strict=True)])
                for image in zip(*several, strict=True)
            ]
        )


Neighbors = tuple[Tensor, Tensor]  # `pvtseg.layers.upsampling.neighbors`: positions and weights, (length, 2)


class CoarseMap(NamedTuple):
    """Logits (h, w, K) of one image, and the neighbors of each row and column of the
    result among theirs.
    """

    logits: Tensor
    rows: Neighbors
    columns: Neighbors


def _grid_of(logits: Tensor, size: tuple[int, int]) -> tuple[Neighbors, Neighbors]:
    kind = accurate_type(logits), logits.device
    return neighbors(logits.shape[2], size[0], *kind), neighbors(logits.shape[3], size[1], *kind)


def _argmax(maps: Sequence[CoarseMap]) -> Tensor:
    """The classes (height, width) of one image."""
    classes, contested = _unanimous(maps[0])
    for other in maps[1:]:
        other_classes, contested_here = _unanimous(other)
        contested |= contested_here | (other_classes != classes)
    num_pixels = max(MOST_LOGITS // maps[0].logits.shape[-1], 1)
    for y, x in zip(*(index.split(num_pixels) for index in contested.nonzero(as_tuple=True)), strict=True):
        fine = (_interpolated(each, y, x) for each in maps)
        scores = next(fine) if len(maps) == 1 else reduce(torch.add, (logits.softmax(dim=-1) for logits in fine))
        classes[y, x] = scores.argmax(dim=-1)
    return classes


def _unanimous(coarse: CoarseMap) -> tuple[Tensor, Tensor]:
    """Classes (height, width), and where they are contested: where the four coarse
    pixels around differ in their argmax.
    """
    winner = coarse.logits.argmax(dim=-1)
    (top, bottom), (left, right) = coarse.rows[0].unbind(1), coarse.columns[0].unbind(1)
    wide = winner[:, left]
    agreed = wide == winner[:, right]
    classes = wide[top]
    return classes, ~(agreed[top] & agreed[bottom] & (classes == wide[bottom]))


def _interpolated(coarse: CoarseMap, y: Tensor, x: Tensor) -> Tensor:
    """Logits (pixels, K) at some pixels of the upsampled map."""
    logits, rows, columns = coarse
    corners = (rows[0][y, :, None] * logits.shape[1] + columns[0][x, None, :]).flatten(1)  # (pixels, 4)
    weights = (rows[1][y, :, None] * columns[1][x, None, :]).flatten(1)
    # embedding_bag is torch's name for weighted sums of rows that are looked up
    return F.embedding_bag(corners, logits.flatten(0, 1), per_sample_weights=weights, mode="sum")
