"""The image and its flipped image, averaged: what depth estimation calls test-time augmentation (BTS,
https://arxiv.org/abs/1907.10326; AdaBins, https://arxiv.org/abs/2011.14141). GLPN's published numbers are without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.interfaces import Inference, Model


class Flip:
    """The mean of what `each` answers for the image and, mirrored back, for its flipped image. Answers as `each` does.

    clip: (least, greatest), meters; both answers are brought into this range before the mean, as AdaBins does. None leaves them.
    align_corners: bring the mean to the image's size with the centers of the corner pixels on one another, as AdaBins does; the
    answer is then of that size. Otherwise it goes up with the edges on one another, as everywhere else here.
    Raises UserError for a range that is none.
    """

    def __init__(self, each: Inference, *, clip: Sequence[float] | None = None, align_corners: bool = False) -> None:
        if clip is not None and (len(clip) != 2 or clip[0] >= clip[1]):
            raise UserError(f"inference.clip is {list(clip)}; wanted are the least and the greatest depth in meters, or null.")
        self.each = each
        self.clip = clip
        self.align_corners = align_corners

    @property
    def protocol(self) -> str:
        """The name of this way to ask, for whoever compares numbers."""
        clipped = "" if self.clip is None else ", each clipped to {:g} .. {:g}".format(*self.clip)
        upsampled = ", upsampled with align_corners" if self.align_corners else ""
        return f"{self.each.protocol}, averaged with its flipped image{clipped}{upsampled}"

    def __call__(self, model: Model, image: Tensor) -> Tensor:
        answers = self.each(model, image), mirrored(self.each(model, image.flip(-1)))
        if self.clip is not None:
            answers = [answer.clamp(*self.clip) for answer in answers]
        mean = sum(answers) / 2
        return F.interpolate(mean, size=image.shape[-2:], mode="bilinear", align_corners=True) if self.align_corners else mean


def mirrored(answer: Tensor) -> Tensor:
    """Maps (B, K, H, W), mirrored. One answer for the whole image, (B, K), has no sides."""
    return answer.flip(-1) if answer.ndim == 4 else answer
