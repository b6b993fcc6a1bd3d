"""The image at several sizes, each with its mirror image: the "MS" column of the segmentation papers
(SegFormer, https://arxiv.org/abs/2105.15203, table 1; mmsegmentation's `MultiScaleFlipAug`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from pvtseg.inference.flip import mirrored
from pvtseg.interfaces import Inference, Model, UserError
from pvtseg.layers.resize import resize
from pvtseg.layers.upsampling import accurate_type


class MultiScaleFlip:
    """The mean of the class probabilities that `each` finds for the image at every ratio, mirrored and not.

    Image (B, C, H, W) -> probabilities (B, K, H / stride, W / stride). ratios multiply the image's sides, which are then
    stretched up to multiples of `align`. stride: of the grid that the probabilities are averaged on. mmsegmentation averages
    at every pixel, which is stride 1; 4 needs a sixteenth of the memory and differs in pixels along the borders of regions.
    Raises UserError for a model that does not name pixels.
    """

    def __init__(
        self,
        each: Inference,
        *,
        ratios: Sequence[float] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
        flip: bool = True,
        align: int = 32,
        stride: int = 4,
    ) -> None:
        if not ratios or min(ratios) <= 0:
            raise UserError(
                f"inference.ratios is {list(ratios)}; wanted are one or more positive numbers, such as [0.5, 1.0, 1.5]."
            )
        if align < 1 or stride < 1:
            raise UserError(f"inference.align is {align} and inference.stride {stride}; use 1 or more pixels.")
        self.each = each
        self.ratios = tuple(ratios)
        self.flip = flip
        self.align = align
        self.stride = stride

    @property
    def protocol(self) -> str:
        """The name of this way to ask, for whoever compares numbers."""
        ratios = ", ".join(f"{ratio:g}" for ratio in self.ratios)
        means = f"probabilities averaged every {self.stride} pixels" if self.stride > 1 else "probabilities averaged"
        return f"{self.each.protocol}, at ratios {ratios}{' with mirror images' if self.flip else ''}, {means}"

    def __call__(self, model: Model, image: Tensor) -> Tensor:
        size = tuple(math.ceil(side / self.stride) for side in image.shape[-2:])
        mean: Tensor | float = 0.0
        for ratio in self.ratios:
            scaled = resize(image, [math.ceil(side * ratio / self.align) * self.align for side in image.shape[-2:]])
            mean = mean + self._probabilities(self.each(model, scaled), size)
            if self.flip:
                mean += self._probabilities(mirrored(self.each(model, scaled.flip(-1))), size)
        return mean / (len(self.ratios) * (1 + self.flip))

    def _probabilities(self, answer: Tensor, size: tuple[int, int]) -> Tensor:
        if answer.ndim != 4 or answer.shape[1] == 1:
            raise UserError(
                "multi_scale_flip averages probabilities of pixels, which this model does not give; use inference=flip or whole."
            )
        return resize(answer.to(accurate_type(answer)), size).softmax(dim=1)
