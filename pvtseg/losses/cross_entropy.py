"""Cross-entropy of logits at a quarter of the image against labels at its full size.

The value and the gradient are those of `F.cross_entropy(F.interpolate(logits, size),
target)`. Both steps are computed together in row chunks (pvtseg/layers/row_chunks.py),
because (B, K, H, W) would be by far the largest tensor of segmentation training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers.precision import accurate_type, without_autocast
from pvtseg.layers.row_chunks import upsampled_row_chunks
from pvtseg.layers.upsampling import channels_last
from pvtseg.losses.pixels import check_class_weights, class_weight_buffer, labels_of

PixelLoss = Callable[[Tensor, Tensor, Tensor, Tensor, float, bool], tuple[Tensor, "Tensor | None"]]
Average = Literal["weights", "valid", "all"]


class CrossEntropy(nn.Module):
    """The mean cross-entropy of maps: logits (B, K, h, w), target (B, H, W) ->
    {"cross_entropy": scalar}.

    The logits, at any resolution, are upsampled to the target's size; the target holds
    class indices.

    ignore_index: pixels with this label do not contribute to the loss; None if all do.
    label_smoothing: the fraction of each target that goes to all classes alike.
    class_weights: one factor for each class.

    average: the divisor of the sum of the valid pixels' losses, each times the weight of
    its class:
        "weights": the sum of the class weights of the valid pixels. That is torch's and
            Hugging Face's mean, and mmsegmentation 1.x's with class weights.
        "valid": the number of valid pixels. That is mmsegmentation's
            `avg_non_ignore=True`, in 1.x without class weights.
        "all": the number of all pixels, so that a half-ignored batch counts half. That
            is mmsegmentation's default, in 1.x without class weights.
    Without class weights, "weights" and "valid" are the same.

    A batch without a valid pixel gives 0, and a gradient of 0. Half precision is
    computed in float32. Raises UserError for a label that is no class, on the CPU; on a
    GPU torch's device-side assertion stops the run.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        *,
        ignore_index: int | None = 255,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        average: Average = "weights",
    ) -> None:
        super().__init__()
        if average not in ("weights", "valid", "all"):
            raise UserError(f"loss.average={average} is not known; use weights, valid or all.")
        if not 0 <= label_smoothing <= 1:
            raise UserError(f"loss.label_smoothing={label_smoothing} is not a fraction; use 0 to 1.")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.average = average
        self._pixel_loss: PixelLoss | None = None  # the device's default
        self.register_buffer("class_weights", class_weight_buffer(class_weights), persistent=False)

    def compile(self, **options: Any) -> None:
        """Compiles the loss of single pixels, with the options of `torch.compile`; the
        chunks stay outside.
        """
        self._pixel_loss = torch.compile(_loss_and_gradient, **options)

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        if logits.ndim != 4:
            raise UserError(
                f"the head's outputs are {tuple(logits.shape)}, and CrossEntropy takes maps (B, K, h, w); "
                "use loss=classification for images."
            )
        num_classes, dtype = logits.shape[1], accurate_type(logits)
        check_class_weights(self.class_weights, num_classes)
        weights = torch.ones(num_classes, device=logits.device) if self.class_weights is None else self.class_weights
        weights = weights.to(dtype)
        target, valid = labels_of(target, num_classes, self.ignore_index)
        fraction = valid.to(dtype) / self._divisor(target, valid, weights)  # of each pixel in the mean
        needs_gradient = torch.is_grad_enabled() and logits.requires_grad
        pixel_loss = self._pixel_loss or _default_pixel_loss(logits.device)
        loss = _UpsampledCrossEntropy.apply(
            logits, target, fraction, weights, self.label_smoothing, needs_gradient, pixel_loss
        )
        return {"cross_entropy": loss}

    def _divisor(self, target: Tensor, valid: Tensor, weights: Tensor) -> Tensor | int:
        match self.average:
            case "weights":
                return (weights[target] * valid).sum().clamp_min(torch.finfo(weights.dtype).tiny)
            case "valid":
                return valid.sum(dtype=weights.dtype).clamp_min(1)
            case _:
                return target.numel()


class _UpsampledCrossEntropy(torch.autograd.Function):
    """The sum over pixels of fraction * cross-entropy(upsampled logits, target).

    The gradient is computed in forward, while each chunk is at hand, for an upstream
    gradient of 1. Backward scales it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        target: Tensor,
        fraction: Tensor,
        weights: Tensor,
        smoothing: float,
        needs_gradient: bool,
        pixel_loss: PixelLoss,
    ) -> Tensor:
        loss = weights.new_zeros(())
        # kept in float32, because a pixel's fraction of a million would vanish in half
        # precision
        gradient = weights.new_zeros(len(logits) if needs_gradient else 0, *logits.shape[2:], len(weights))
        if needs_gradient:
            ctx.save_for_backward(gradient)
            ctx.logits_type = logits.dtype
        with without_autocast(logits):
            chunks = upsampled_row_chunks(logits, target.shape[1:])
            for i in range(len(logits)):
                image = channels_last(logits[i])
                for chunk in chunks:
                    with torch.enable_grad():
                        coarse = image[chunk.sources].requires_grad_()
                        fine = chunk.upsample(coarse)
                    chunk_loss, fine_gradient = pixel_loss(
                        fine.detach(),
                        target[i, chunk.rows],
                        fraction[i, chunk.rows],
                        weights,
                        smoothing,
                        needs_gradient,
                    )
                    loss += chunk_loss
                    if needs_gradient:
                        gradient[i, chunk.sources] += torch.autograd.grad(fine, coarse, fine_gradient)[0]
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = ctx.saved_tensors
        return (gradient * upstream).to(ctx.logits_type).permute(0, 3, 1, 2), *[None] * 6


@cache
def _default_pixel_loss(device: torch.device) -> PixelLoss:
    """Compiled for a GPU, where each of the dozen operations would read and write the
    chunk; uncompiled elsewhere.
    """
    compiles = device.type == "cuda" and find_spec("triton") and torch.cuda.get_device_capability(device) >= (7, 0)
    return torch.compile(_loss_and_gradient, dynamic=True) if compiles else _loss_and_gradient


def _loss_and_gradient(
    logits: Tensor, labels: Tensor, fraction: Tensor, weights: Tensor, smoothing: float, needs_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Cross-entropy of pixels and its gradient: logits (..., K), labels and fraction
    (...) -> a scalar, and (..., K).

    The target is a distribution q: what smoothing leaves on the label, and an equal
    fraction on every class, each times the class's weight. The loss is -sum(q * log p),
    where p = softmax(logits), and its gradient sum(q) * p - q.
    """
    labels, fraction = labels.unsqueeze(-1), fraction.unsqueeze(-1)
    on_label = fraction * weights[labels] * (1 - smoothing)
    on_all = weights * (smoothing / len(weights))

    log_p = F.log_softmax(logits, dim=-1)
    loss = -(log_p.gather(-1, labels) * on_label).sum()
    if smoothing:
        loss -= (log_p @ on_all * fraction.squeeze(-1)).sum()
    if not needs_gradient:
        return loss, None

    gradient = log_p.exp_().mul_(on_label + fraction * on_all.sum())
    gradient.scatter_add_(-1, labels, -on_label)
    if smoothing:
        gradient -= fraction * on_all
    return loss, gradient
