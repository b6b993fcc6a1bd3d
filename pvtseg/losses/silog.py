"""The scale-invariant logarithmic loss of depth (https://arxiv.org/abs/1406.2283, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvtseg.interfaces import UserError
from pvtseg.layers.resize import resize


class SiLog(nn.Module):
    """scale * sqrt(mean(d^2) - variance_focus * mean(d)^2), where d = log(target) - log(prediction) at every reading.

    Prediction (B, 1, h, w) and target (B, 1, H, W) in metres -> a scalar; the prediction is resized to the target's size.
    GLPN trains with variance_focus 0.5 and scale 1, BTS with 0.85 and 10 (https://arxiv.org/abs/1907.10326, section 3.4).

    min_depth: a reading is a target above it; 0 marks no reading. per_image: the mean over images of each one's loss, where
    the papers' code pools the readings of the batch. eps: the least prediction, in metres, so that its logarithm exists.
    Where nothing was read the loss is 0, and so is its gradient. Half precision is computed in float32.
    """

    def __init__(
        self,
        *,
        variance_focus: float = 0.5,
        scale: float = 1.0,
        min_depth: float = 0.0,
        per_image: bool = False,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        if not 0 <= variance_focus <= 1:
            raise UserError(f"variance_focus={variance_focus} leaves nothing under the root; use 0 to 1.")
        self.variance_focus = variance_focus
        self.scale = scale
        self.min_depth = min_depth
        self.per_image = per_image
        self.eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(prediction.device.type, enabled=False):
            prediction = resize(_at_least_float32(prediction), target.shape[-2:])
            target = _at_least_float32(target)
            read = target > self.min_depth
            log_prediction = prediction.clamp_min(self.eps).log()
            error = torch.where(read, target, 1.0).log() - torch.where(read, log_prediction, 0.0)
            pixels = (1, 2, 3) if self.per_image else (0, 1, 2, 3)
            count = read.sum(dim=pixels).clamp_min(1)
            mean = error.sum(dim=pixels) / count
            # mean(d^2) - variance_focus * mean(d)^2, written as two terms that are never negative
            spread = (torch.where(read, error - _over_pixels(mean, pixels), 0.0) ** 2).sum(dim=pixels) / count
            loss = _safe_sqrt(spread + (1 - self.variance_focus) * mean**2)
            if self.per_image:
                loss = loss.sum() / read.any(dim=3).any(dim=2).any(dim=1).sum().clamp_min(1)
            return self.scale * loss


def _at_least_float32(depth: Tensor) -> Tensor:
    return depth.to(torch.promote_types(depth.dtype, torch.float32))


def _over_pixels(values: Tensor, pixels: tuple[int, ...]) -> Tensor:
    return values.view(-1, *[1] * 3) if len(pixels) == 3 else values


def _safe_sqrt(square: Tensor) -> Tensor:
    """The root, with gradient 0 instead of infinity at 0."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
