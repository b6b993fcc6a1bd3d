"""Prediction: an image in, a prediction in the image's own size out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from pvtseg.data.collate import collate
from pvtseg.data.io import read_image, to_rgb
from pvtseg.data.normalize import normalize_batch
from pvtseg.errors import UserError
from pvtseg.layers.outputs import to_numpy

if TYPE_CHECKING:
    from pvtseg.data.target_info import ClassInfo
    from pvtseg.interfaces import EvalTransform, Inference, PostProcess, Visualizer
    from pvtseg.model import Model

ImageLike = str | os.PathLike[str] | Image.Image | np.ndarray


class Predictor:
    """Prepares an image as the model's training did, runs the model, and brings the
    prediction to the image's own size.

    predictor(image) -> the prediction as numpy: a segmentation map (H, W) of integers,
    depth (H, W) float32 in meters, class probabilities (K,) float32, `Instances`,
    `Segments`, or those by task name. image: a path, a PIL image, or an array (H, W, 3)
    uint8 RGB; the first two are turned upright as their EXIF tag says. Raises UserError
    for any other image.

    classes: the classes of the prediction, their names and colors; None where there are
    none.
    """

    def __init__(
        self,
        model: Model,
        *,
        inference: Inference,
        postprocess: PostProcess,
        transform: EvalTransform,
        normalize: nn.Module,
        visualizer: Visualizer,
        classes: ClassInfo | None = None,
    ) -> None:
        self.model = model.eval()
        self.inference = inference
        self.postprocess = postprocess
        self.transform = transform
        self.normalize = normalize
        self.visualizer = visualizer
        self.classes = classes

    def to(self, device: str | torch.device) -> Predictor:
        """Moves the model; images follow it."""
        self.model.to(device)
        self.normalize.to(device)
        return self

    def __call__(self, image: ImageLike) -> Any:
        return next(self.stream([image]))

    def stream(self, images: Iterable[ImageLike], *, batch_size: int = 8) -> Iterator[Any]:
        """Predictions in the order of the images. Images of one size that follow each
        other are run together.
        """
        if batch_size < 1:
            raise UserError(f"batch_size is {batch_size}; use 1 or more.")
        waiting: list[dict[str, Any]] = []
        for image in images:
            sample = self._sample(image)
            if waiting and (len(waiting) == batch_size or sample["image"].shape != waiting[0]["image"].shape):
                yield from self._predict(waiting)
                waiting = []
            waiting.append(sample)
        if waiting:
            yield from self._predict(waiting)

    def draw(self, image: ImageLike, prediction: Any = None) -> Image.Image:
        """The prediction over its image; predicted first where it is not given."""
        pixels = as_pixels(image)
        return Image.fromarray(self.visualizer(self(pixels) if prediction is None else prediction, pixels))

    @torch.inference_mode()
    def _predict(self, samples: list[dict[str, Any]]) -> list[Any]:
        device = next(self.model.parameters()).device
        batch = collate(samples)
        image = batch["image"].to(device)
        views = [image if view is batch["image"] else view.to(device) for view in batch["views"]]
        batch = normalize_batch({**batch, "image": image, "views": views}, self.normalize)
        return [to_numpy(each) for each in self.postprocess(self.inference(self.model, batch), batch["size"])]

    def _sample(self, image: ImageLike) -> dict[str, Any]:
        pixels = as_pixels(image)
        name = os.fspath(image) if isinstance(image, str | os.PathLike) else "the image"
        return {**self.transform(image=pixels), "size": pixels.shape[:2], "target": None, "name": name}


def as_pixels(image: ImageLike) -> np.ndarray:
    """An image given in any way, as (H, W, 3) uint8 RGB. Raises UserError for anything
    that is not an image.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    if isinstance(image, Image.Image):
        return to_rgb(image, "the image")
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return image
    seen = (
        f"an array {image.shape} of {image.dtype}"
        if isinstance(image, np.ndarray)
        else f"of type {type(image).__name__}"
    )
    raise UserError(f"the image is {seen}; expected a path, a PIL image, or an array (height, width, 3) of uint8.")
