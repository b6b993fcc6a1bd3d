"""The nine metrics of monocular depth (https://arxiv.org/abs/1406.2283, section 4),
averaged over images as BTS, AdaBins and GLPN do
(https://github.com/cleinc/bts/blob/master/pytorch/bts_eval.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from pvtseg.errors import UserError
from pvtseg.layers.precision import accurate_type


def nyu_crop(height: int, width: int) -> tuple[slice, slice]:
    """Inside the frame of the projected Kinect depth: 426 x 560 of 480 x 640."""
    if (height, width) != (480, 640):
        raise UserError(
            f"a depth map of {height} x {width}, and metrics.crop=nyu is defined for 480 x 640; "
            "evaluate at that size, or with metrics.crop=null."
        )
    return slice(45, 471), slice(41, 601)


def kitti_crop(height: int, width: int, *, rows: list[float], columns: list[float]) -> tuple[slice, slice]:
    """Rows and columns from start to stop, given as fractions of the height and the width."""
    return slice(*(int(fraction * height) for fraction in rows)), slice(
        *(int(fraction * width) for fraction in columns)
    )


# Garg (https://arxiv.org/abs/1603.04992) and Eigen, with the digits that the evaluation
# codes hand on to each other
CROPS: dict[str, Callable[[int, int], tuple[slice, slice]]] = {
    "nyu": nyu_crop,
    "garg": partial(kitti_crop, rows=[0.40810811, 0.99189189], columns=[0.03594771, 0.96405229]),
    "eigen": partial(kitti_crop, rows=[0.3324324, 0.91351351], columns=[0.0359477, 0.96405229]),
}


class DepthMetrics(Metric):
    """The mean over images of each image's delta1..3, abs_rel, sq_rel, rmse, rmse_log,
    log10 and silog.

    update takes two depth maps (H, W) in meters for each image, the prediction at the
    target's own size. A pixel counts where min_depth < target < max_depth and inside
    the crop; an image without such a pixel is left out. compute gives
    float64: ratios in 0..1 for the deltas, meters for rmse and sq_rel; nan where no
    image counted.

    crop: "nyu", "garg", "eigen", or None. clamp: clip predictions to [min_depth,
    max_depth] first, as BTS and AdaBins do. Either way an infinite prediction counts as
    max_depth, and nan as min_depth.
    median_alignment: also report `aligned/*`: metrics after median scaling of each
    prediction. They measure relative depth only and must not be compared with
    metric-depth results.
    """

    full_state_update = False
    per_class: Mapping[str, str] = {}
    names: ClassVar[tuple[str, ...]] = (
        "delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog",
    )  # fmt: skip

    sums: Tensor
    num_images: Tensor

    def __init__(
        self,
        *,
        min_depth: float = 1e-3,
        max_depth: float = 10.0,
        crop: str | None = None,
        clamp: bool = True,
        median_alignment: bool = False,
    ) -> None:
        super().__init__()
        if crop is not None and crop not in CROPS:
            raise UserError(f"metrics.crop is {crop!r}; use {', '.join(CROPS)} or null.")
        if not 0 < min_depth < max_depth:
            raise UserError(
                f"metrics.min_depth={min_depth}, metrics.max_depth={max_depth}; "
                "use 0 < min_depth < max_depth, in meters."
            )
        self.min_depth = min_depth
        self.max_depth = max_depth
        self.crop = crop
        self.clamp = clamp
        self.median_alignment = median_alignment
        num_sums = len(self.names) * (1 + median_alignment)
        dtype = torch.float32 if torch.backends.mps.is_available() else torch.float64  # Apple's GPUs have no float64
        self.add_state("sums", torch.zeros(num_sums, dtype=dtype), dist_reduce_fx="sum")
        self.add_state("num_images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, Any]:
        """The measurement rules, as plain values for metrics.json."""
        return {
            "average": "mean over images of each image's value; images without a valid pixel are left out",
            "valid": "min_depth < target < max_depth, inside the crop",
            "silog": "sqrt(mean(d^2) - mean(d)^2), d = ln prediction - ln target, not times 100",
            "min_depth": self.min_depth,
            "max_depth": self.max_depth,
            "crop": self.crop,
            "clamp": self.clamp,
        } | ({"aligned/": "each prediction times median target / median prediction"} if self.median_alignment else {})

    def update(self, predictions: list[Tensor], targets: list[Tensor]) -> None:
        for prediction, target in zip(predictions, targets, strict=True):
            self._add(prediction.to(self.sums.device), target.to(self.sums.device))

    def _add(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.shape != target.shape or target.ndim != 2:
            raise UserError(
                f"a prediction of shape {tuple(prediction.shape)} for a target of {tuple(target.shape)}; "
                f"give meters (H, W) at the target's size."
            )
        prediction, target = (self._pixels(depth[None]) for depth in (prediction, target))  # (1, pixels)
        prediction = prediction.nan_to_num(nan=self.min_depth, posinf=self.max_depth, neginf=self.min_depth)
        valid = (target > self.min_depth) & (target < self.max_depth)  # in float32, in which 0.001 m is min_depth
        judged = [prediction]
        if self.median_alignment:
            factor = _median(target, valid) / _median(prediction, valid).clamp_min(self.min_depth)
            judged.append(prediction * factor[:, None])
        self.sums += torch.cat([self._summed(meters, target, valid) for meters in judged])
        self.num_images += valid.any(dim=1).sum()

    def compute(self) -> dict[str, Tensor]:
        names = [*self.names, *(f"aligned/{name}" for name in self.names)][: len(self.sums)]
        return dict(zip(names, self.sums.cpu().double() / self.num_images.cpu(), strict=True))

    def _summed(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Each metric of every image, added up over the images: three of (B, pixels) ->
        (9,).
        """
        if self.clamp:
            prediction = prediction.clamp(self.min_depth, self.max_depth)
        # two equal numbers where there is no depth: every error is 0 there, and every
        # logarithm exists
        prediction, target = (torch.where(valid, depth, 1.0).to(self.sums.dtype) for depth in (prediction, target))
        count = valid.sum(dim=1)

        def mean(values: Tensor) -> Tensor:
            return torch.where(valid, values.to(target.dtype), 0.0).sum(dim=1) / count.clamp_min(1)

        error = prediction - target
        log_error = prediction.log() - target.log()
        worst_ratio = torch.maximum(prediction / target, target / prediction)
        values = {
            "delta1": mean(worst_ratio < 1.25),
            "delta2": mean(worst_ratio < 1.25**2),
            "delta3": mean(worst_ratio < 1.25**3),
            "abs_rel": mean(error.abs() / target),
            "sq_rel": mean(error**2 / target),
            "rmse": mean(error**2).sqrt(),
            "rmse_log": mean(log_error**2).sqrt(),
            "log10": mean((prediction.log10() - target.log10()).abs()),
            "silog": (mean(log_error**2) - mean(log_error) ** 2).clamp_min(0).sqrt(),
        }
        return torch.stack([values[name] for name in self.names]).sum(dim=1)

    def _pixels(self, depth: Tensor) -> Tensor:
        """The part of each image that counts, (B, pixels)."""
        rows, columns = CROPS[self.crop](*depth.shape[-2:]) if self.crop else (slice(None), slice(None))
        return depth[..., rows, columns].flatten(1).to(accurate_type(depth))


def _median(depth: Tensor, valid: Tensor) -> Tensor:
    """The median of each image's valid pixels, as NumPy has it: (B, pixels) -> (B,); 1 where there
    is none.
    """
    ordered = torch.where(valid, depth, torch.inf).sort(dim=1).values
    count = valid.sum(dim=1, keepdim=True)
    middle = torch.cat([(count - 1).clamp_min(0) // 2, (count // 2).clamp_max(depth.shape[1] - 1)], dim=1)
    return torch.where(count[:, 0] > 0, ordered.gather(1, middle).mean(dim=1), 1.0)
