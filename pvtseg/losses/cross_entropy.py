"""Cross-entropy of logits at a quarter of the image against labels at its full size.

The value and the gradient of `F.cross_entropy(F.interpolate(logits, size), target)`, but the two steps are one that
works in bands of rows (pvtseg/layers/upsampling.py): (B, K, H, W), by far the largest thing in segmentation training,
never exists.
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
from pvtseg.layers.upsampling import accurate_type, bands, channels_last
from pvtseg.losses.pixels import check_range, labels_of

OfBand = Callable[[Tensor, Tensor, Tensor, Tensor, float, bool], tuple[Tensor, Tensor | None]]


class CrossEntropy(nn.Module):
    """The mean cross-entropy, for segmentation and for classification.

    Segmentation: logits (B, K, h, w) at any resolution, target (B, H, W) of class indices -> a scalar; the logits are
    upsampled to the target's size. Classification: logits (B, K), target (B,) of class indices or (B, K) of
    probabilities, as mixup makes -> a scalar.

    ignore_index: pixels with this label teach nothing; None if all do. An image's one class is never ignored.
    label_smoothing: the share of each target that goes to all classes alike. class_weights: K factors, one a class.
    average: "valid" divides by the pixels that are not ignored (torch, Hugging Face), with class weights by the sum of
    theirs; "all" divides by all pixels, so that a half-ignored batch counts half (mmsegmentation's default).

    A batch without a valid pixel gives 0, and a gradient of 0. Half precision is computed in float32. A label that is
    no class raises a UserError on the CPU; a GPU would have to wait at every step to look, and there torch's own
    device-side assertion stops the run.
    """

    name = "cross_entropy"
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        ignore_index: int | None = 255,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        average: Literal["valid", "all"] = "valid",
    ) -> None:
        super().__init__()
        if average not in ("valid", "all"):
            raise UserError(f"average={average!r} is not a way to average; use 'valid' or 'all'.")
        if not 0 <= label_smoothing <= 1:
            raise UserError(f"label_smoothing={label_smoothing} is not a share; use 0 to 1.")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.average = average
        self._of_band: OfBand | None = None  # the usual one of the device
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def compile(self, **options: Any) -> None:
        """Compiles, with the options of `torch.compile`, what is done at each pixel; the cutting into bands stays as it is."""
        self._of_band = torch.compile(_loss_and_slope, **options)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        num_classes, dtype = logits.shape[1], accurate_type(logits)
        weights = torch.ones(num_classes, device=logits.device) if self.class_weights is None else self.class_weights
        if len(weights) != num_classes:
            raise UserError(f"{len(weights)} class_weights for {num_classes} classes; give each class one.")
        weights = weights.to(dtype)
        if logits.ndim == 2:
            check_range(target, num_classes)
            return F.cross_entropy(logits.to(dtype), target, weights, label_smoothing=self.label_smoothing)

        target, valid = labels_of(target, num_classes, self.ignore_index)
        count = (weights[target] * valid).sum() if self.average == "valid" else weights.new_tensor(target.numel())
        share = valid / count.clamp_min(torch.finfo(dtype).tiny)  # of each pixel in the mean
        wants_gradient = torch.is_grad_enabled() and logits.requires_grad
        of_band = self._of_band or _usual(logits.device)
        return _UpsampledCrossEntropy.apply(logits, target, share, weights, self.label_smoothing, wants_gradient, of_band)


class _UpsampledCrossEntropy(torch.autograd.Function):
    """The sum over pixels of share * cross-entropy(upsampled logits, target).

    The gradient is found on the way forward, while each band is at hand, for an upstream gradient of 1; backward scales
    it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        target: Tensor,
        share: Tensor,
        weights: Tensor,
        smoothing: float,
        wants_gradient: bool,
        of_band: OfBand,
    ) -> Tensor:
        loss = weights.new_zeros(())
        if wants_gradient:  # kept in float32: a pixel's share of a million would vanish in half precision
            gradient = weights.new_zeros(len(logits), *logits.shape[2:], len(weights))
            ctx.save_for_backward(gradient)
            ctx.logits_type = logits.dtype
        with torch.autocast(logits.device.type, enabled=False):
            all_bands = list(bands(logits, target.shape[1:]))
            for i in range(len(logits)):
                image = channels_last(logits[i])
                for band in all_bands:
                    with torch.enable_grad():
                        coarse = image[band.sources].requires_grad_()
                        fine = band.upsample(coarse)
                    band_loss, slope = of_band(
                        fine.detach(), target[i, band.rows], share[i, band.rows], weights, smoothing, wants_gradient
                    )
                    loss += band_loss
                    if wants_gradient:
                        gradient[i, band.sources] += torch.autograd.grad(fine, coarse, slope)[0]
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * upstream).to(ctx.logits_type).permute(0, 3, 1, 2), *[None] * 6


@cache
def _usual(device: torch.device) -> OfBand:
    """Compiled for a GPU, where each of the dozen operations would read and write the band; as it is elsewhere."""
    compiles = device.type == "cuda" and find_spec("triton") and torch.cuda.get_device_capability(device) >= (7, 0)
    return torch.compile(_loss_and_slope, dynamic=True) if compiles else _loss_and_slope


def _loss_and_slope(
    logits: Tensor, labels: Tensor, share: Tensor, weights: Tensor, smoothing: float, wants_slope: bool
) -> tuple[Tensor, Tensor | None]:
    """Cross-entropy of pixels and its gradient: logits (..., K), labels and share (...) -> a scalar, and (..., K).

    The target is a distribution q: what smoothing leaves on the label, and an equal part on every class, each times the
    class's weight. The loss is -sum(q * log p), where p = softmax(logits), and its gradient sum(q) * p - q.
    """
    labels, share = labels.unsqueeze(-1), share.unsqueeze(-1)
    on_label = share * weights[labels] * (1 - smoothing)
    on_all = weights * (smoothing / len(weights))

    log_p = F.log_softmax(logits, dim=-1)
    loss = -(log_p.gather(-1, labels) * on_label).sum()
    if smoothing:
        loss -= (log_p @ on_all * share.squeeze(-1)).sum()
    if not wants_slope:
        return loss, None

    slope = log_p.exp_().mul_(on_label + share * on_all.sum())
    slope.scatter_add_(-1, labels, -on_label)
    if smoothing:
        slope -= share * on_all
    return loss, slope
