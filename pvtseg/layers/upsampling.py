"""Bilinear upsampling in bands of rows: the whole upsampled map never exists.

Bilinear interpolation (https://en.wikipedia.org/wiki/Bilinear_interpolation) is separable: widen the rows of the coarse
map, then mix neighbouring rows. So a band of the upsampled map needs only the few coarse rows around it, and mixing
them is one small matrix product. Channels come last here, so that what follows at each pixel, a softmax or an argmax,
reads memory in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional as F

from pvtseg.layers.resize import resize

if TYPE_CHECKING:
    from torch import Tensor

CPU_BAND_BYTES = 16 << 20  # smaller bands stay in the cache, larger ones wait less often for a core that is busy elsewhere
GPU_BAND_BYTES = 256 << 20  # few, large kernels


class Band(NamedTuple):
    """Some rows of an upsampled map, and how to make them from the coarse map.

    rows: which of the upsampled map. sources: which rows of the coarse map they lie between. mixing (rows, sources):
    how much of each. width: of the upsampled map.
    """

    rows: slice
    sources: slice
    mixing: Tensor
    width: int

    def upsample(self, coarse: Tensor) -> Tensor:
        """The `sources` of the coarse map, (sources, w, C) -> these rows, (rows, width, C). Differentiable."""
        num_channels = coarse.shape[-1]
        coarse = coarse.transpose(1, 2).unsqueeze(2)  # (sources, C, 1, w): torch widens a batch of rows in parallel
        wide = resize(coarse, (1, self.width)).squeeze(2).transpose(1, 2)  # (sources, width, C)
        return (self.mixing @ wide.flatten(1)).view(-1, self.width, num_channels)


def bands(coarse: Tensor, size: tuple[int, int]) -> Iterator[Band]:
    """Cuts one image's map of `size` (height, width) into bands that fit the memory, top to bottom.

    coarse: what will be upsampled, (B, C, h, w); only its shape, type and device matter.
    """
    num_channels, coarse_height = coarse.shape[1:3]
    height, width = size
    budget = CPU_BAND_BYTES if coarse.device.type == "cpu" else GPU_BAND_BYTES
    dtype = accurate_type(coarse)
    mixing = _interpolation_matrix(coarse_height, height, dtype)
    num_rows = max(budget // (width * num_channels * dtype.itemsize), 1)
    for start in range(0, height, num_rows):
        rows = slice(start, min(start + num_rows, height))
        used = mixing[rows].any(dim=0).nonzero()
        sources = slice(int(used[0]), int(used[-1]) + 1)
        yield Band(rows, sources, mixing[rows, sources].to(coarse.device), width)


def accurate_type(maps: Tensor) -> torch.dtype:
    """What to compute in: float32 for half precision, else the map's own type."""
    return torch.promote_types(maps.dtype, torch.float32)


def channels_last(image_map: Tensor) -> Tensor:
    """One map (C, h, w) as (h, w, C), contiguous, in `accurate_type`."""
    return image_map.permute(1, 2, 0).to(accurate_type(image_map)).contiguous()


@torch.no_grad()
def upsampled_argmax(answers: Tensor | Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The class of each pixel, after upsampling: logits (B, K, h, w) -> labels (B, height, width) int64.

    What `F.interpolate(logits, size, mode="bilinear").argmax(dim=1)` gives, in bounded memory; of equal classes, the
    lowest. Of several answers, each at its own resolution, the class of the largest mean probability: each is upsampled,
    then comes the softmax, then the mean.
    """
    answers = [answers] if isinstance(answers, torch.Tensor) else answers
    labels = torch.empty(len(answers[0]), *size, dtype=torch.int64, device=answers[0].device)
    with torch.autocast(labels.device.type, enabled=False):  # which would mix the rows in half precision
        all_bands = list(zip(*(bands(logits, size) for logits in answers), strict=True))  # the same rows of every answer
        for image_labels, *image_answers in zip(labels, *answers, strict=True):
            coarse = [channels_last(logits) for logits in image_answers]
            image_labels[:], contested = _uncontested_in_all(coarse, size)
            for same_rows in all_bands:
                rows = same_rows[0].rows
                here = contested[rows]
                if here.any():
                    fine = (band.upsample(maps[band.sources])[here] for band, maps in zip(same_rows, coarse, strict=True))
                    scores = next(fine) if len(answers) == 1 else sum(logits.softmax(dim=-1) for logits in fine)
                    image_labels[rows][here] = scores.argmax(dim=-1)
    return labels


def _uncontested_in_all(coarse: Sequence[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """`_uncontested`, of several answers (h, w, K): a class that leads in each of them leads in their mean probability."""
    labels, contested = _uncontested(coarse[0].argmax(dim=-1), size)
    for maps in coarse[1:]:
        others, contested_here = _uncontested(maps.argmax(dim=-1), size)
        contested |= contested_here | (others != labels)
    return labels, contested


def _uncontested(coarse_labels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Labels (height, width), and where they are contested, from the likeliest class of each coarse pixel, (h, w).

    A pixel lies between four coarse pixels. Where one class leads in all four it leads in any mean of them, so that
    most of an image needs no upsampling: only the pixels along the borders of regions are contested.
    """
    (top, bottom), (left, right) = (
        _neighbours(length, new_length, coarse_labels.device)
        for length, new_length in zip(coarse_labels.shape, size, strict=True)
    )
    wide = coarse_labels[:, left]
    agreed = wide == coarse_labels[:, right]
    labels = wide[top]
    return labels, ~(agreed[top] & agreed[bottom] & (labels == wide[bottom]))


def _neighbours(length: int, new_length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The two coarse indices between which each of the `new_length` positions lies; the same one twice at the ends."""
    ramp = torch.arange(length, dtype=torch.float64)
    position = F.interpolate(ramp[None, None], size=new_length, mode="linear", align_corners=False)[0, 0]
    return position.floor().long().to(device), position.ceil().long().to(device)


def _interpolation_matrix(length: int, new_length: int, dtype: torch.dtype) -> Tensor:
    """(new_length, length): torch's own linear interpolation, as the matrix that it is."""
    identity = torch.eye(length, dtype=dtype)
    return F.interpolate(identity[None], size=new_length, mode="linear", align_corners=False)[0].T.contiguous()
