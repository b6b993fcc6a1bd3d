"""The scale-invariant logarithmic loss of depth (https://arxiv.org/abs/1406.2283,
section 3.3).
"""

from __future__ import annotations

from torch import Tensor, nn

from pvtseg.errors import UserError
from pvtseg.layers.precision import accurate_type, without_autocast
from pvtseg.layers.resize import resize


class SiLogLoss(nn.Module):
    """scale * sqrt(mean(d^2) - variance_focus * mean(d)^2), d = log(target) -
    log(prediction): {"silog": scalar}.

    Prediction (B, 1, h, w), resized to the target's size; target (B, H, W); both in
    meters. The means are over the valid pixels: those of a finite target above
    min_depth; 0 marks an invalid one. GLPN trains with variance_focus 0.5 and scale 1,
    BTS with 0.85 and 10 (https://arxiv.org/abs/1907.10326).

    per_image: the mean of the images' losses; otherwise the pixels of the batch are
    pooled, as in the papers' code. eps: the smallest prediction, in meters, so that its
    logarithm exists. Without a valid pixel the loss is 0, and so is its gradient. Half
    precision is computed in float32.
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
            raise UserError(f"loss.variance_focus={variance_focus} can make the root's content negative; use 0 to 1.")
        self.variance_focus = variance_focus
        self.scale = scale
        self.min_depth = min_depth
        self.per_image = per_image
        self.eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        if target.ndim != 3:
            raise UserError(f"the depth target is {tuple(target.shape)}; give (B, H, W), without a channel.")
        with without_autocast(prediction):
            prediction = resize(prediction.to(accurate_type(prediction)), target.shape[-2:]).squeeze(1)
            prediction = prediction.clamp_min(self.eps)
            target = target.to(prediction.dtype)
            valid = (target > self.min_depth) & target.isfinite()
            # 0 at invalid pixels
            error = target.masked_fill(~valid, 1).log() - prediction.masked_fill(~valid, 1).log()

            num_groups = len(target) if self.per_image else 1  # of pixels that have their means in common
            valid, error = valid.reshape(num_groups, -1), error.reshape(num_groups, -1)
            count = valid.sum(dim=1).clamp_min(1)
            mean = error.sum(dim=1) / count
            variance = ((error - mean[:, None]).masked_fill(~valid, 0) ** 2).sum(dim=1) / count
            # the formula above, written without its difference of two large numbers
            loss = _root(variance + (1 - self.variance_focus) * mean**2)
            return {"silog": self.scale * loss.sum() / valid.any(dim=1).sum().clamp_min(1)}


def _root(square: Tensor) -> Tensor:
    """The square root, with a gradient of 0 where torch's is infinite: at 0."""
    is_zero = square <= 0
    return square.masked_fill(is_zero, 1).sqrt().masked_fill(is_zero, 0)
