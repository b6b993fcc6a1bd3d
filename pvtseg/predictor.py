"""An image file in, an answer in the image's own size out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.data.io import read_image
from pvtseg.errors import UserError
from pvtseg.interfaces import Inference, Transform
from pvtseg.layers.upsampled_argmax import upsampled_argmax

ImageLike = str | os.PathLike[str] | Image.Image | np.ndarray
Size = tuple[int, int]
Answer = Callable[[Any, Size], Tensor]  # the model's answer (1, ...), the image's (height, width) -> what the user gets


class Predictor:
    """Prepares an image as the model's training did, asks, and brings the answer back to the image's size.

    predictor(image) -> numpy array: labels (H, W) integer, depth (H, W) float32 in meters, or class probabilities (K,)
    float32. image: a path, a PIL image, or an array (H, W, 3) uint8 RGB; the first two are turned upright as their EXIF tag says.
    Raises UserError for any other image.
    """

    def __init__(
        self,
        model: nn.Module,
        answer: Answer,
        *,
        inference: Inference,
        transform: Transform,
        normalize: Callable[[Tensor], Tensor],
    ) -> None:
        self.model = model.eval()
        self.answer = answer
        self.inference = inference
        self.transform = transform
        self.normalize = normalize

    def to(self, device: str | torch.device) -> Predictor:
        """Moves the model; images follow it."""
        self.model.to(device)
        return self

    @torch.inference_mode()
    def __call__(self, image: ImageLike) -> np.ndarray:
        pixels = as_pixels(image)
        prepared = self.transform(image=pixels)["image"]
        batch = [self._batch(scale) for scale in prepared] if isinstance(prepared, list) else self._batch(prepared)
        answer = self.inference(self.model, self.normalize(batch))
        return self.answer(answer, pixels.shape[:2])[0].cpu().numpy()

    def _batch(self, image: np.ndarray) -> Tensor:
        """(H, W, 3) -> (1, 3, H, W), where the model is."""
        return torch.from_numpy(np.ascontiguousarray(image)).to(next(self.model.parameters()).device).permute(2, 0, 1)[None]


def labels(answer: Tensor | list[Tensor], size: Size) -> Tensor:
    """Logits (1, K, h, w), or several whose probabilities are averaged -> the class of each pixel (1, H, W) int64."""
    return upsampled_argmax(answer, size)


def probabilities(answer: Tensor, size: Size) -> Tensor:  # noqa: ARG001 (one answer for the image, whatever its size)
    """Logits (1, K) -> probabilities (1, K) float32."""
    return answer.float().softmax(dim=-1)


def meters(answer: Tensor, size: Size, *, interpolation: str = "bilinear") -> Tensor:
    """Depth (1, 1, h, w) -> depth (1, H, W) float32 in meters. interpolation: "bilinear", or "bicubic" as GLPN's processor."""
    return F.interpolate(answer.float(), size=size, mode=interpolation, align_corners=False)[:, 0]


def as_pixels(image: ImageLike) -> np.ndarray:
    """Any of the ways to give an image, as (H, W, 3) uint8 RGB. Raises UserError for what is none of them."""
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    if isinstance(image, Image.Image):
        if image.mode.startswith(("I", "F")):
            raise UserError(f"the image is of mode {image.mode}; give its path, or convert it to 8 bits per channel.")
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return image
    seen = f"an array {image.shape} of {image.dtype}" if isinstance(image, np.ndarray) else f"of type {type(image).__name__}"
    raise UserError(f"the image is {seen}; wanted is a path, a PIL image, or an array (height, width, 3) of uint8.")
