"""The scale-invariant logarithmic loss of depth (https://arxiv.org/abs/1406.2283, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvtseg.errors import UserError
from pvtseg.layers.resize import resize
from pvtseg.layers.upsampling import accurate_type


class SiLog(nn.Module):
    """scale * sqrt(mean(d^2) - variance_focus * mean(d)^2), where d = log(target) - log(prediction) at every reading.

    Prediction (B, 1, h, w) and target (B, 1, H, W) in meters -> a scalar; the prediction is resized to the target's
    size. GLPN trains with variance_focus 0.5 and scale 1, BTS with 0.85 and 10 (https://arxiv.org/abs/1907.10326).

    min_depth: a reading is a finite target above it; 0 marks no reading. per_image: the mean of the images' losses,
    where the papers' code pools the readings of the batch. eps: the least prediction, in meters, so that its
    logarithm exists. Where nothing was read the loss is 0, and so is its gradient. Half precision is computed in
    float32.
    """

    name = "silog"

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
            raise UserError(f"variance_focus={variance_focus} can make the root's content negative; use 0 to 1.")
        self.variance_focus = variance_focus
        self.scale = scale
        self.min_depth = min_depth
        self.per_image = per_image
        self.eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(prediction.device.type, enabled=False):
            prediction = resize(prediction.to(accurate_type(prediction)), target.shape[-2:]).clamp_min(self.eps)
            target = target.to(prediction.dtype)
            read = (target > self.min_depth) & target.isfinite()
            # without a reading, 0
            error = torch.where(read, target, 1.0).log() - torch.where(read, prediction, 1.0).log()

            num_groups = len(target) if self.per_image else 1  # of pixels that share their means
            read, error = read.reshape(num_groups, -1), error.reshape(num_groups, -1)
            count = read.sum(dim=1).clamp_min(1)
            mean = error.sum(dim=1) / count
            variance = (torch.where(read, error - mean[:, None], 0.0) ** 2).sum(dim=1) / count
            # the formula above, written without its difference of two large numbers
            loss = _root(variance + (1 - self.variance_focus) * mean**2)
            return self.scale * loss.sum() / read.any(dim=1).sum().clamp_min(1)


def _root(square: Tensor) -> Tensor:
    """The square root, with a gradient of 0 where torch's is infinite: at 0."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
