"""The class of each pixel from class scores at a lower resolution, without the scores at full size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pvtseg.layers.upsampling import accurate_type, channels_last, interpolation_matrix

SCORES = 4 << 20  # scores, pixels x classes, that are looked at together

Neighbors = tuple[Tensor, Tensor]  # (length, 2): of each position the two coarse ones around it, and the share of each


class Coarse(NamedTuple):
    """Scores (h, w, K), and which of its rows and columns each row and column of the labels lies between."""

    scores: Tensor
    rows: Neighbors
    columns: Neighbors


@torch.no_grad()
def upsampled_argmax(answers: Tensor | Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The class of each pixel, after upsampling: logits (B, K, h, w) -> labels (B, height, width) int64.

    What `F.interpolate(logits, size, mode="bilinear").argmax(dim=1)` gives, in bounded memory; of equal classes, the
    lowest. Of several answers, each at its own resolution, the class of the largest mean probability: each is upsampled,
    then comes the softmax, then the mean. A pixel lies between four coarse pixels. Where one class leads in all four, of every
    answer, it leads in any mean of them, so that only the pixels along the borders of regions are upsampled.
    """
    answers = [answers] if isinstance(answers, Tensor) else answers
    with torch.autocast(answers[0].device.type, enabled=False):  # which would average in half precision
        neighbors = [
            [_neighbors(*lengths, accurate_type(logits), logits.device) for lengths in zip(logits.shape[2:], size, strict=True)]
            for logits in answers
        ]
        return torch.stack(
            [
                _labels([Coarse(channels_last(logits), *around) for logits, around in zip(image, neighbors, strict=True)])
                for image in zip(*answers, strict=True)
            ]
        )


def _labels(answers: Sequence[Coarse]) -> Tensor:
    """Of one image, (height, width)."""
    labels, contested = _unanimous(answers[0])
    for answer in answers[1:]:
        others, contested_here = _unanimous(answer)
        contested |= contested_here | (others != labels)
    chunk = max(SCORES // answers[0].scores.shape[-1], 1)
    for y, x in zip(*(index.split(chunk) for index in contested.nonzero(as_tuple=True)), strict=True):
        fine = (_upsampled(answer, y, x) for answer in answers)
        scores = next(fine) if len(answers) == 1 else sum(logits.softmax(dim=-1) for logits in fine)
        labels[y, x] = scores.argmax(dim=-1)
    return labels


def _upsampled(answer: Coarse, y: Tensor, x: Tensor) -> Tensor:
    """Scores (pixels, K) at some pixels of the upsampled answer."""
    scores, rows, columns = answer
    corners = (rows[0][y, :, None] * scores.shape[1] + columns[0][x, None, :]).flatten(1)  # (pixels, 4)
    shares = (rows[1][y, :, None] * columns[1][x, None, :]).flatten(1)
    # embedding_bag is torch's name for weighted sums of rows that are looked up
    return F.embedding_bag(corners, scores.flatten(0, 1), per_sample_weights=shares, mode="sum")


def _unanimous(answer: Coarse) -> tuple[Tensor, Tensor]:
    """Labels (height, width), and where they are contested: where not the same class leads in all four coarse pixels around."""
    leading = answer.scores.argmax(dim=-1)
    (top, bottom), (left, right) = answer.rows[0].unbind(1), answer.columns[0].unbind(1)
    wide = leading[:, left]
    agreed = wide == leading[:, right]
    labels = wide[top]
    return labels, ~(agreed[top] & agreed[bottom] & (labels == wide[bottom]))


def _neighbors(length: int, new_length: int, dtype: torch.dtype, device: torch.device) -> Neighbors:
    """At the ends of the map both neighbors are one and the same, and share nothing twice."""
    ramp = torch.arange(length, dtype=torch.float64)
    position = F.interpolate(ramp[None, None], size=new_length, mode="linear", align_corners=False)[0, 0]
    around = torch.stack([position.floor(), position.ceil()], dim=1).long()
    shares = interpolation_matrix(length, new_length, dtype).gather(1, around)
    shares[:, 1].masked_fill_(around[:, 0] == around[:, 1], 0.0)
    return around.to(device), shares.to(device)
