"""The mean over the image and its horizontal flip: the test-time augmentation of depth
estimation.

BTS (https://arxiv.org/abs/1907.10326) and AdaBins (https://arxiv.org/abs/2011.14141)
report it. GLPN does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers.outputs import map_outputs

if TYPE_CHECKING:
    from torch import nn

    from pvtseg.interfaces import Batch, Inference, Outputs


class Flip:
    """The mean of the outputs for the image and, flipped back, for its horizontal flip.

    each: the inference that runs on either image.
    clip: (least, greatest) depth in meters; both outputs are clipped before the mean,
    as AdaBins does. None: no clipping.
    align_corners: upsample the mean to the image's size with align_corners=True, as
    AdaBins does. False: keep the head's resolution.
    Raises UserError for a range whose ends are not in order, and for outputs that
    cannot be flipped.
    """

    ratios = None

    def __init__(self, each: Inference, *, clip: Sequence[float] | None = None, align_corners: bool = False) -> None:
        if clip is not None and (len(clip) != 2 or clip[0] >= clip[1]):
            raise UserError(
                f"inference.clip is {list(clip)}; expected the least and the greatest depth in meters, such as "
                "'inference.clip=[0.001,10]', or null."
            )
        if each.ratios is not None:
            raise UserError(
                "inference.each works at several scales; use inference=multi_scale_flip, which flips by itself."
            )
        self.each = each
        self.clip = clip
        self.align_corners = align_corners

    @property
    def protocol(self) -> str:
        clipped = "" if self.clip is None else ", each clipped to {:g} .. {:g}".format(*self.clip)
        upsampled = ", upsampled with align_corners" if self.align_corners else ""
        return f"{self.each.protocol}, averaged with its flipped image{clipped}{upsampled}"

    def __call__(self, model: nn.Module, batch: Batch) -> list[Outputs]:
        (outputs,) = self.each(model, batch)
        (of_flipped,) = self.each(model, with_image(batch, batch["image"].flip(-1)))
        return [map_outputs(lambda one, other: self._mean(one, other, batch), outputs, flipped(of_flipped))]

    def _mean(self, one: Tensor, other: Tensor, batch: Batch) -> Tensor:
        if self.clip is not None:
            one, other = one.clamp(*self.clip), other.clamp(*self.clip)
        mean = (one + other) / 2
        if self.align_corners:
            return F.interpolate(mean, size=batch["image"].shape[-2:], mode="bilinear", align_corners=True)
        return mean


def with_image(batch: Batch, image: Tensor) -> Batch:
    """The batch with another image, without padding, in place of its own."""
    size = (image.shape[-2], image.shape[-1])
    return {**batch, "image": image, "image_size": [size] * len(image), "views": [image]}


def flipped(outputs: Outputs) -> Outputs:
    """The outputs with all maps (B, K, H, W) flipped; class logits (B, K) have no sides."""
    return map_outputs(_flipped, outputs)


def _flipped(output: Tensor) -> Tensor:
    if output.ndim == 2:
        return output
    if output.ndim == 4:
        return output.flip(-1)
    raise UserError(f"outputs of shape {tuple(output.shape)} cannot be flipped back; use inference=whole.")
