"""A function of upsampled logits, worked out in bands of rows and again on the way back, so that memory stays small.

What cross-entropy does by hand (pvtseg/losses/cross_entropy.py) for any function that PyTorch can differentiate, at the price
of a second upsampling in backward (https://arxiv.org/abs/1604.06174).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pvtseg.layers.upsampling import Band, bands, channels_last

Measure = Callable[[Tensor, int, slice], Tensor]  # logits (rows, W, K) of a band, the image's number, which rows -> anything


def in_bands(logits: Tensor, size: tuple[int, int], measure: Measure) -> list[Tensor]:
    """What `measure` finds in each band of the logits (B, K, h, w) upsampled to `size`, image by image, top to bottom."""
    found = []
    with torch.autocast(logits.device.type, enabled=False):
        all_bands = list(bands(logits, size))
        for i, image_logits in enumerate(logits):
            coarse = channels_last(image_logits)
            found += [
                checkpoint(_measured, measure, coarse, band, i, use_reentrant=False, preserve_rng_state=False)
                for band in all_bands
            ]
    return found


def _measured(measure: Measure, coarse: Tensor, band: Band, image: int) -> Tensor:
    return measure(band.upsample(coarse[band.sources]), image, band.rows)
