"""The interfaces: what passes between the parts, and what the framework reads of each
part.

A part from outside that fulfills its Protocol works everywhere: in training, resuming,
evaluation, prediction and reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

if TYPE_CHECKING:  # the command line must not wait for torch
    import numpy as np
    from torch import Tensor, nn

Size: TypeAlias = tuple[int, int]  # (height, width)
Features: TypeAlias = (
    "list[Tensor]"  # the backbone's maps, finest first: (B, channels[i], H / strides[i], W / strides[i])
)
Outputs: TypeAlias = Any  # what a head returns: a tensor, or tensors by name
LegendEntry: TypeAlias = tuple[str, tuple[int, int, int]]  # a name and its color


class Sample(TypedDict):
    """One item of a data set, before any transform.

    image: (H, W, 3) uint8 RGB. target: what the task learns: a class index; a
    segmentation map (H, W) of an integer type; depth in meters (H, W) float32, 0 where
    it is invalid; `Instances`; `Segments`; or a mapping of those by task name.
    name: what error messages, pictures and reports call this item.
    """

    image: np.ndarray
    target: Any
    name: str


class Batch(TypedDict):
    """Several items, as `pvtseg.data.collate.collate` joins them.

    image: (B, 3, H, W), normalized on the device; smaller images are padded at the
    bottom and right.
    image_size: (height, width) of each image without the padding.
    views: the image at each ratio of the inference; [image] for an inference without
    ratios.
    target: arrays and numbers stacked, objects in a list, a mapping key by key.
    size: (height, width) at which each prediction is wanted.
    name: of each item.
    """

    image: Tensor
    image_size: list[Size]
    views: list[Tensor]
    target: Any
    size: list[Size]
    name: list[str]


@dataclass
class Instances:
    """Objects of one image, as target and as prediction of detection.

    boxes: (N, 4) x1, y1, x2, y2 in pixels. labels: (N,) class indices. scores: (N,) in
    0..1, None in a target.
    masks: (N, H, W) bool or None. crowd: (N,) bool or None; a crowd is a box around
    many objects.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor | None = None
    masks: Tensor | None = None
    crowd: Tensor | None = None


@dataclass
class Segments:
    """Segments of one image, as target and as prediction of panoptic segmentation.

    ids: (H, W) int32, 0 for none. labels: (N,) class indices of the ids 1..N. scores:
    (N,) in 0..1 or None.
    """

    ids: Tensor
    labels: Tensor
    scores: Tensor | None = None


class Backbone(Protocol):
    """An encoder: image (B, in_channels, H, W) -> maps at `strides`, finest first. An
    nn.Module.
    """

    in_channels: int
    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __call__(self, image: Tensor) -> Features: ...


class LayeredBackbone(Backbone, Protocol):
    """A backbone whose layers may learn at rates of their own (`optimizer.layer_decay`)."""

    def layer_ids(self) -> Mapping[str, int]:
        """Parameter name -> the number of its layer, counted from the image on."""
        ...


class Head(Protocol):
    """A decoder: features -> outputs at its own resolution. An nn.Module.

    Its constructor begins with `in_channels`, the channels of the backbone's maps.
    image_size: (height, width) of each image without padding; None for images without
    padding.
    """

    def __call__(self, features: Features, image_size: list[Size] | None = None) -> Outputs: ...


class Loss(Protocol):
    """Outputs and target -> scalars by name; their sum is minimized. An nn.Module."""

    def __call__(self, outputs: Outputs, target: Any) -> dict[str, Tensor]: ...


class Inference(Protocol):
    """Runs a model on a batch -> its outputs, one for each view of the image.

    protocol: a line that names this inference in reports. ratios: the scales at which
    it wants to see the image, as `batch["views"]`; None for the image alone.
    """

    protocol: str
    ratios: tuple[float, ...] | None

    def __call__(self, model: nn.Module, batch: Batch) -> list[Outputs]: ...


class PostProcess(Protocol):
    """Outputs, one for each view, and the wanted sizes -> one prediction per image. An
    nn.Module, so that it exports.
    """

    def __call__(self, outputs: list[Outputs], sizes: list[Size]) -> list[Any]: ...


class Metrics(Protocol):
    """Compares predictions with targets, image by image.

    protocol: how the numbers come about, plain values for metrics.json. per_class: the
    key of each number that belongs to one class -> the class name. A
    `torchmetrics.Metric` also adds up over processes.
    """

    protocol: Mapping[str, Any]
    per_class: Mapping[str, str]

    def update(self, predictions: list[Any], targets: list[Any]) -> None: ...

    def compute(self) -> Mapping[str, Any]: ...

    def reset(self) -> None: ...


class Visualizer(Protocol):
    """Draws a prediction or a target over its image (H, W, 3) uint8 -> picture (H, W,
    3) uint8.
    """

    def __call__(self, prediction: Any, image: np.ndarray) -> np.ndarray: ...

    def legend(self, predictions: Sequence[Any] | None = None) -> list[LegendEntry]:
        """The meaning of the colors; of those only that the predictions show, where
        they are given.
        """
        ...


class Transform(Protocol):
    """Changes an image and, with it, its target: transform(image=..., target=...) ->
    the same keys.

    A training transform has `seed(number)`, which decides all that it draws from then
    on.
    """

    def __call__(self, *, image: np.ndarray, target: Any) -> dict[str, Any]: ...

    def seed(self, number: int) -> None: ...


class EvalTransform(Protocol):
    """Prepares an image for evaluation: transform(image=...) -> {"image": ...}.

    One with several sizes has `at(ratio)`, the same transform for an image that is
    `ratio` times as large.
    """

    def __call__(self, *, image: np.ndarray) -> dict[str, Any]: ...
