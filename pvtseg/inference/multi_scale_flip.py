"""The image at several scales, each with its horizontal flip: the "MS" column of
segmentation papers.

SegFormer (https://arxiv.org/abs/2105.15203, table 1), measured with mmsegmentation's
`MultiScaleFlipAug`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from pvtseg.errors import UserError
from pvtseg.inference.flip import flipped, with_image
from pvtseg.layers.outputs import map_outputs

if TYPE_CHECKING:
    from torch import nn

    from pvtseg.interfaces import Batch, Inference, Outputs


class MultiScaleFlip:
    """Outputs for each view of the image and for its flip, each at its own resolution.

    `batch["views"]` holds the image at each of the ratios, resized from the original by
    `data.eval_transform`. `upsampled_argmax` upsamples each output to the original
    size, applies softmax and averages, as mmsegmentation does.
    each: the inference that runs on every view.
    Raises UserError for a batch with another number of views, and for a model whose
    outputs are not logits of pixels.
    """

    def __init__(
        self, each: Inference, *, ratios: Sequence[float] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75), flip: bool = True
    ) -> None:
        self.each = each
        self.ratios: tuple[float, ...] | None = tuple(ratios)
        self.flip = flip

    @property
    def protocol(self) -> str:
        ratios = ", ".join(f"{ratio:g}" for ratio in self.ratios or ())
        flips = " with flipped images" if self.flip else ""
        return f"{self.each.protocol}, at ratios {ratios}{flips}, probabilities averaged at every pixel"

    def __call__(self, model: nn.Module, batch: Batch) -> list[Outputs]:
        views, num_ratios = batch["views"], len(self.ratios or ())
        if len(views) != num_ratios:
            raise UserError(
                f"multi_scale_flip was given {len(views)} views for {num_ratios} ratios; expected one view "
                "at each ratio, as pvtseg.data.transforms.evaluation.MultiScale makes them."
            )
        outputs = []
        for view in views:
            outputs += self._checked(self.each(model, with_image(batch, view)))
            if self.flip:
                outputs += [flipped(each) for each in self.each(model, with_image(batch, view.flip(-1)))]
        return outputs

    @staticmethod
    def _checked(outputs: list[Outputs]) -> list[Outputs]:
        return [map_outputs(_logits_of_pixels, each) for each in outputs]


def _logits_of_pixels(output: Tensor) -> Tensor:
    if output.ndim != 4 or output.shape[1] == 1:
        raise UserError(
            f"multi_scale_flip averages class probabilities of pixels, and the model's outputs are "
            f"{tuple(output.shape)}; use inference=flip or inference=whole."
        )
    return output
