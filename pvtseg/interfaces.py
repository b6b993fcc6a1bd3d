"""The joints between the rooms: what a backbone, a head, a sample, a batch, a transform and an inference are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

if TYPE_CHECKING:  # the command line reads UserError from here and must not wait for torch
    import numpy as np
    from torch import Tensor

Features: TypeAlias = "list[Tensor]"  # four maps, finest first: (B, channels[i], H / strides[i], W / strides[i])


class UserError(ValueError):
    """A mistake that the user can mend. The message is one line: what was seen, what was wanted, what to do.

    The command line prints it without a traceback; from Python it is a ValueError.
    """


class Backbone(Protocol):
    """An encoder: image (B, in_channels, H, W) -> four maps at strides 4, 8, 16 and 32."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __call__(self, image: Tensor) -> Features: ...


class Head(Protocol):
    """A decoder. Its constructor begins with `in_channels`, the channels of the backbone's four maps."""

    def __call__(self, features: Features) -> Tensor: ...


class Model(Protocol):
    """A backbone and a head. Called, it answers at the image's size; `answer` stays at the head's own resolution."""

    def __call__(self, image: Tensor) -> Tensor: ...

    def answer(self, image: Tensor) -> Tensor: ...


class Sample(TypedDict):
    """One item of a data set, before any transform.

    image (H, W, 3) uint8 RGB. target: class indices (H, W) of an integer type, or depth in metres (H, W) float32 with
    0 where there is no reading, or one class index. name: what an error message and a picture call this item.
    """

    image: np.ndarray
    target: Any
    name: str


class Batch(TypedDict):
    """What a task sees.

    image (B, 3, H, W) float, normalised; a list of those where an inference wants to see several scales. target: class
    indices (B, H', W') int64, depth in metres (B, 1, H', W'), or class indices (B,). size: the (height, width) at which the
    answer is wanted: H', W' of the target in evaluation.
    """

    image: Tensor | list[Tensor]
    target: Tensor
    size: tuple[int, int]


class Transform(Protocol):
    """Changes an image and, with it, whatever has to stay aligned: transform(image=..., target=...) -> the same keys."""

    def __call__(self, *, image: np.ndarray, **targets: Any) -> dict[str, Any]: ...


class Inference(Protocol):
    """How a model is asked: the whole image at once, in windows, at several scales. Answers as `model.answer` does.

    One whose constructor takes `ratios` is given a list of images, at each of those scales. A list of answers stands for the mean
    of their probabilities at each pixel.
    """

    def __call__(self, model: Model, image: Tensor | list[Tensor]) -> Tensor | list[Tensor]: ...
