"""Cross-entropy of whole images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.layers.precision import accurate_type
from pvtseg.losses.pixels import check_class_weights, check_range, class_weight_buffer


class ClassificationCrossEntropy(nn.Module):
    """The mean cross-entropy of images: logits (B, K) -> {"cross_entropy": scalar}.

    target: class indices (B,), or probabilities (B, K), as mixup makes them.
    label_smoothing: the fraction of each target that goes to all classes alike.
    class_weights: one factor for each class; of class indices, the mean is then
    weighted.

    Half precision is computed in float32. Raises UserError for a label that is no
    class, on the CPU; on a GPU torch's device-side assertion stops the run.
    """

    class_weights: Tensor | None

    def __init__(self, *, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if not 0 <= label_smoothing <= 1:
            raise UserError(f"loss.label_smoothing={label_smoothing} is not a fraction; use 0 to 1.")
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weight_buffer(class_weights), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        if logits.ndim != 2:
            raise UserError(
                f"the head's outputs are {tuple(logits.shape)}, and ClassificationCrossEntropy takes (B, K); "
                "use loss=cross_entropy for maps."
            )
        dtype = accurate_type(logits)
        check_class_weights(self.class_weights, logits.shape[1])
        check_range(target, logits.shape[1])
        weights = None if self.class_weights is None else self.class_weights.to(dtype)
        loss = F.cross_entropy(logits.to(dtype), target, weights, label_smoothing=self.label_smoothing)
        return {"cross_entropy": loss}
