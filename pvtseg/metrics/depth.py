"""The nine metrics of monocular depth (https://arxiv.org/abs/1406.2283, section 4.3), averaged over images as BTS,
AdaBins and GLPN do (https://github.com/cleinc/bts/blob/master/pytorch/bts_eval.py).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from pvtseg.interfaces import UserError


class Crop(NamedTuple):
    """The part of a target that counts: rows and columns from start to stop, of targets of one size (height, width)."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    size: tuple[int, int]


CROPS = {
    "nyu": Crop(rows=(45, 471), columns=(41, 601), size=(480, 640)),  # inside the projected Kinect frame
}

NAMES = ("delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog")


class DepthMetrics(Metric):
    """The mean over images of each image's delta1..3, abs_rel, sq_rel, rmse, rmse_log, log10 and silog.

    update takes prediction and target (B, 1, H, W) or (B, H, W), metres, at the target's own size. A pixel counts where
    min_depth < target < max_depth, strictly, and inside `crop`; an image without one is left out. compute gives float64: ratios in
    0..1 for delta, metres for rmse and sq_rel, natural logarithms for rmse_log and silog. nan for a data set without any depth.

    crop: "nyu", rows 45:471 and columns 41:601 of 480 x 640, or None. clamp: bring the predictions into [min_depth, max_depth]
    first, as BTS and AdaBins do. Whether or not, an infinite prediction counts as max_depth, and one that is nan as min_depth.
    """

    full_state_update = False
    monitor: ClassVar[str] = "delta1"
    mode: ClassVar[str] = "max"

    sums: Tensor
    num_images: Tensor

    def __init__(
        self, *, min_depth: float = 1e-3, max_depth: float = 10.0, crop: str | None = None, clamp: bool = True
    ) -> None:
        super().__init__()
        if crop is not None and crop not in CROPS:
            raise UserError(f"crop={crop!r} is not known; use {', '.join(CROPS)} or null.")
        self.min_depth = min_depth
        self.max_depth = max_depth
        self.crop = crop
        self.clamp = clamp
        self.add_state("sums", torch.zeros(len(NAMES), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, str | float | bool | None]:
        """How the numbers came about, for whoever compares them."""
        return {
            "average": "mean over images of each image's value, images without a valid pixel left out",
            "silog": "sqrt(mean(d^2) - mean(d)^2) of the natural logarithms' difference, not multiplied by 100",
            "min_depth": self.min_depth,
            "max_depth": self.max_depth,
            "crop": self.crop,
            "clamp": self.clamp,
        }

    def update(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.shape != target.shape:
            raise UserError(
                f"a prediction of shape {tuple(prediction.shape)} for a target of {tuple(target.shape)}; "
                f"give metres (B, 1, H, W) at the target's size."
            )
        prediction, target = (self._cropped(depth).flatten(1).double() for depth in (prediction, target))
        prediction = prediction.nan_to_num(nan=self.min_depth, posinf=self.max_depth, neginf=self.min_depth)
        if self.clamp:
            prediction = prediction.clamp(self.min_depth, self.max_depth)
        valid = (target > self.min_depth) & (target < self.max_depth)
        # where there is no depth, two equal numbers: every error is 0 and no logarithm fails
        prediction, target = (torch.where(valid, depth, 1.0) for depth in (prediction, target))

        count = valid.sum(dim=1)
        def mean(values: Tensor) -> Tensor:
            return torch.where(valid, values, 0.0).sum(dim=1) / count.clamp_min(1)

        error = prediction - target
        log_error = prediction.log() - target.log()
        ratio = torch.maximum(prediction / target, target / prediction)
        per_image = {
            "delta1": mean(ratio < 1.25),
            "delta2": mean(ratio < 1.25**2),
            "delta3": mean(ratio < 1.25**3),
            "abs_rel": mean(error.abs() / target),
            "sq_rel": mean(error**2 / target),
            "rmse": mean(error**2).sqrt(),
            "rmse_log": mean(log_error**2).sqrt(),
            "log10": mean((prediction.log10() - target.log10()).abs()),
            "silog": (mean(log_error**2) - mean(log_error) ** 2).clamp_min(0).sqrt(),
        }
        self.sums += torch.stack([per_image[name] for name in NAMES]).sum(dim=1)
        self.num_images += (count > 0).sum()

    def compute(self) -> dict[str, Tensor]:
        return dict(zip(NAMES, self.sums / self.num_images, strict=True))

    def _cropped(self, depth: Tensor) -> Tensor:
        if self.crop is None:
            return depth
        crop = CROPS[self.crop]
        if depth.shape[-2:] != crop.size:
            height, width = depth.shape[-2:]
            raise UserError(
                f"a depth map of {height} x {width}, but crop={self.crop!r} is defined for {crop.size[0]} x {crop.size[1]}; "
                f"evaluate at that size or with crop=null."
            )
        return depth[..., slice(*crop.rows), slice(*crop.columns)]
