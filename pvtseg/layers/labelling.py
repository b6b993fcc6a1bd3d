"""The class of each pixel from class scores at a lower resolution, without the scores at full size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pvtseg.layers.upsampling import accurate_type, channels_last, interpolation_matrix

SCORES = 4 << 20  # scores, pixels x classes, that are looked at together


@torch.no_grad()
def upsampled_argmax(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """The class of each pixel, after upsampling: logits (B, K, h, w) -> labels (B, height, width) int64.

    What `F.interpolate(logits, size, mode="bilinear").argmax(dim=1)` gives, in bounded memory; of equal classes, the
    lowest. A pixel lies between four coarse pixels. Where one class leads in all four it leads in any mean of them, so that
    only the pixels along the borders of regions are upsampled.
    """
    with torch.autocast(logits.device.type, enabled=False):  # which would average in half precision
        rows, columns = (
            _neighbours(length, new_length, accurate_type(logits), logits.device)
            for length, new_length in zip(logits.shape[2:], size, strict=True)
        )
        return torch.stack([_labels(channels_last(image), rows, columns) for image in logits])


Neighbours = tuple[Tensor, Tensor]  # (length, 2): of each position the two coarse ones around it, and the share of each


def _labels(scores: Tensor, rows: Neighbours, columns: Neighbours) -> Tensor:
    """One image: coarse scores (h, w, K) -> labels (height, width)."""
    labels, contested = _unanimous(scores.argmax(dim=-1), rows[0], columns[0])
    chunk = max(SCORES // scores.shape[-1], 1)
    for y, x in zip(*(index.split(chunk) for index in contested.nonzero(as_tuple=True)), strict=True):
        corners = (rows[0][y, :, None] * scores.shape[1] + columns[0][x, None, :]).flatten(1)  # (pixels, 4)
        shares = (rows[1][y, :, None] * columns[1][x, None, :]).flatten(1)
        # embedding_bag is torch's name for weighted sums of rows that are looked up
        means = F.embedding_bag(corners, scores.flatten(0, 1), per_sample_weights=shares, mode="sum")
        labels[y, x] = means.argmax(dim=-1)
    return labels


def _unanimous(leading: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Labels (height, width), and where they are contested, from the class that leads at each coarse pixel, (h, w)."""
    (top, bottom), (left, right) = rows.unbind(1), columns.unbind(1)
    wide = leading[:, left]
    agreed = wide == leading[:, right]
    labels = wide[top]
    return labels, ~(agreed[top] & agreed[bottom] & (labels == wide[bottom]))


def _neighbours(length: int, new_length: int, dtype: torch.dtype, device: torch.device) -> Neighbours:
    """At the ends of the map both neighbours are one and the same, and share nothing twice."""
    ramp = torch.arange(length, dtype=torch.float64)
    position = F.interpolate(ramp[None, None], size=new_length, mode="linear", align_corners=False)[0, 0]
    around = torch.stack([position.floor(), position.ceil()], dim=1).long()
    shares = interpolation_matrix(length, new_length, dtype).gather(1, around)
    shares[:, 1].masked_fill_(around[:, 0] == around[:, 1], 0.0)
    return around.to(device), shares.to(device)
