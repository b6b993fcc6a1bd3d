"""Cross-entropy of logits at a quarter of the image against labels at its full size.

The same number and gradient as upsampling the logits and calling `torch.nn.functional.cross_entropy`, but both steps are
fused and run in bands of rows: (B, K, H, W), four times over the largest thing in segmentation training, never exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pvtseg.interfaces import UserError
from pvtseg.layers.upsampling import accurate_type, bands, channels_last


class CrossEntropy(nn.Module):
    """The mean cross-entropy, for segmentation and for classification.

    Segmentation: logits (B, K, h, w) at any resolution, target (B, H, W) int64 -> a scalar; the logits are upsampled to the
    target's size. Classification: logits (B, K), target (B,) int64, or (B, K) probabilities (mixup) -> a scalar.

    ignore_index: pixels with this label teach nothing. label_smoothing: the share of the target spread over all classes.
    class_weights: K factors, one a class. average: "valid" divides by the pixels that are not ignored (torch, Hugging Face;
    with class weights, by the sum of theirs); "all" divides by all pixels, so that a half-ignored batch counts half
    (mmsegmentation's default). A batch without a valid pixel gives 0, and a gradient of 0.

    Half precision is computed in float32. Labels out of range raise a UserError on the CPU; on a GPU, where looking would
    halt the device at every step, they fail as torch's device-side assertion: `pvtseg verify data=NAME` finds the file.
    """

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        average: Literal["valid", "all"] = "valid",
    ) -> None:
        super().__init__()
        if average not in ("valid", "all"):
            raise UserError(f"average={average!r} is not a way to average; use 'valid' or 'all'.")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.average = average
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        num_classes = logits.shape[1]
        if self.class_weights is not None and len(self.class_weights) != num_classes:
            raise UserError(f"{len(self.class_weights)} class weights for {num_classes} classes; give one a class.")
        if target.is_floating_point():
            return F.cross_entropy(
                logits.to(accurate_type(logits)),
                target,
                weight=self.class_weights,
                label_smoothing=self.label_smoothing,
            )
        valid = target != self.ignore_index
        target = target.masked_fill(~valid, 0)
        self._check_range(target, num_classes)
        if logits.ndim == 2:  # one image of B x 1 pixels
            logits, target, valid = logits.T[None, :, :, None], target[None, :, None], valid[None, :, None]

        weights = torch.ones_like(logits[0, :, 0, 0]) if self.class_weights is None else self.class_weights
        weights = weights.to(accurate_type(logits))
        count = weights[target].mul_(valid).sum() if self.average == "valid" else weights.new_tensor(target.numel())
        share = valid / count.clamp_min(torch.finfo(weights.dtype).tiny)  # of each pixel in the mean
        wants_gradient = torch.is_grad_enabled() and logits.requires_grad
        return _UpsampledCrossEntropy.apply(logits, target, share, weights, self.label_smoothing, wants_gradient)

    def _check_range(self, target: Tensor, num_classes: int) -> None:
        if target.device.type != "cpu" or target.numel() == 0:
            return
        lowest, highest = (int(end) for end in target.aminmax())
        if lowest < 0 or highest >= num_classes:
            seen = lowest if lowest < 0 else highest
            raise UserError(
                f"label {seen} in the target, but the logits have classes 0 to {num_classes - 1} and {self.ignore_index} is "
                f"ignored; map the labels in the data config, or set the head's num_classes."
            )


class _UpsampledCrossEntropy(torch.autograd.Function):
    """sum over pixels of share * (sum over classes of q * -log softmax(upsampled logits)), q = weights * smoothed target.

    The gradient is found on the way forward, band by band, for an upstream gradient of 1; backward scales it.
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
    ) -> Tensor:
        batch, _, height, width = logits.shape
        loss = logits.new_zeros((), dtype=weights.dtype)
        spread = weights * (smoothing / len(weights))  # (K,): what smoothing gives to each class of each pixel
        gradient = None
        if wants_gradient:  # in full precision: unit gradients of a million pixels would vanish in half
            gradient = torch.zeros(batch, height, width, len(weights), dtype=weights.dtype, device=logits.device)
        with torch.autocast(logits.device.type, enabled=False):
            all_bands = list(bands(logits, target.shape[1:]))
            for i in range(batch):
                image = channels_last(logits[i])
                for band in all_bands:
                    with torch.set_grad_enabled(wants_gradient):
                        coarse = image[band.sources].requires_grad_(wants_gradient)
                        fine = band.upsample(coarse)
                    labels = target[i, band.rows].unsqueeze(-1)
                    hot = share[i, band.rows].unsqueeze(-1)
                    log_probability = F.log_softmax(fine.detach(), dim=-1)
                    on_label = hot * weights[labels] * (1 - smoothing)
                    loss -= (log_probability.gather(-1, labels) * on_label).sum()
                    if smoothing:
                        loss -= ((log_probability @ spread).unsqueeze(-1) * hot).sum()
                    if wants_gradient:
                        total = on_label + hot * spread.sum()
                        slope = log_probability.exp_().mul_(total)
                        if smoothing:
                            slope -= hot * spread
                        slope.scatter_add_(-1, labels, -on_label)
                        (coarse_slope,) = torch.autograd.grad(fine, coarse, slope)
                        gradient[i, band.sources] += coarse_slope
        if wants_gradient:
            ctx.save_for_backward(gradient)
            ctx.logits_type = logits.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * upstream).permute(0, 3, 1, 2).to(ctx.logits_type), None, None, None, None, None
