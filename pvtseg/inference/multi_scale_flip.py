"""The image at several sizes, each with its flipped image: the "MS" column of the segmentation papers
(SegFormer, https://arxiv.org/abs/2105.15203, table 1; mmsegmentation's `MultiScaleFlipAug`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pvtseg.errors import UserError
from pvtseg.inference.flip import mirrored
from pvtseg.interfaces import Inference, Model


class MultiScaleFlip:
    """What `each` answers for the image at every ratio, mirrored and not; their probabilities are to be averaged.

    Images [(B, C, h, w), ...], one for each of the ratios, as `data.eval_transform` makes them from the original -> twice as many
    answers, each at its own resolution. Whoever turns them into classes brings every one to the size of the original before
    the softmax, as mmsegmentation does, and needs no grid in between (`upsampled_argmax`).
    Raises UserError for images at other scales than these, and for a model that does not name pixels.
    """

    def __init__(
        self, each: Inference, *, ratios: Sequence[float] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75), flip: bool = True
    ) -> None:
        self.each = each
        self.ratios = tuple(ratios)
        self.flip = flip

    @property
    def protocol(self) -> str:
        """The name of this way to ask, for whoever compares numbers."""
        ratios = ", ".join(f"{ratio:g}" for ratio in self.ratios)
        mirrors = " with flipped images" if self.flip else ""
        return f"{self.each.protocol}, at ratios {ratios}{mirrors}, probabilities averaged at every pixel"

    def __call__(self, model: Model, images: list[Tensor]) -> list[Tensor]:
        if not isinstance(images, list) or len(images) != len(self.ratios):
            seen = f"{len(images)} images" if isinstance(images, list) else "one image"
            raise UserError(
                f"multi_scale_flip was given {seen} for {len(self.ratios)} ratios; wanted is a list with one at each of them, as "
                "pvtseg.data.transforms.evaluation.MultiScale makes it."
            )
        answers = []
        for image in images:
            answers.append(self._of_pixels(self.each(model, image)))
            if self.flip:
                answers.append(mirrored(self.each(model, image.flip(-1))))
        return answers

    @staticmethod
    def _of_pixels(answer: Tensor) -> Tensor:
        if answer.ndim != 4 or answer.shape[1] == 1:
            raise UserError(
                "multi_scale_flip averages probabilities of pixels, which this model does not give; use inference=flip or whole."
            )
        return answer
