"""Joins items into a batch, by their values: no task is known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pvtseg.errors import UserError
from pvtseg.interfaces import Batch

WAY_OUT = "use data.eval_batch_size=1 in evaluation, a transform with a fixed size in training"


def collate(items: Sequence[Mapping[str, Any]], *, pad: bool = False) -> Batch:
    """Items (image (H, W, 3) uint8, target, size, name and perhaps views) -> a batch.

    Images become (B, 3, H, W), channels last. Targets are joined by value: arrays and
    numbers are stacked, mappings joined key by key, anything else stays a list.
    views: a list of images in each item -> a list of stacked images; without them
    [image], the same tensor. size: (height, width) of the image where an item has none.
    pad: images of different sizes are padded with 0 at the bottom and right. Without
    it, they are a UserError that names two items; so are targets of different shapes.
    """
    images, names = [item["image"] for item in items], [item["name"] for item in items]
    image_size = [image.shape[:2] for image in images]
    image = _stacked_images(images, names, pad=pad)
    views = [image]
    if "views" in items[0]:
        views = [_stacked_images(view, names, pad=pad) for view in zip(*(item["views"] for item in items), strict=True)]
    return Batch(
        image=image,
        image_size=image_size,
        views=views,
        target=_joined([item["target"] for item in items], names),
        size=[tuple(item.get("size", size)) for item, size in zip(items, image_size, strict=True)],
        name=names,
    )


def _stacked_images(images: Sequence[np.ndarray], names: Sequence[str], *, pad: bool) -> Tensor:
    sizes = [image.shape[:2] for image in images]
    if len(set(sizes)) > 1:
        if not pad:
            a, b = _first_two_that_differ(sizes, names)
            raise UserError(
                f"images of different sizes, {a} and {b} (height, width), do not fit into one batch; "
                f"{WAY_OUT}, or data.pad=true."
            )
        images = _padded(images)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def _padded(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    return [np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0))) for image in images]


def _joined(values: Sequence[Any], names: Sequence[str]) -> Any:
    first = values[0]
    if isinstance(first, Mapping):
        if any(value.keys() != first.keys() for value in values):
            a, b = _first_two_that_differ([sorted(value) for value in values], names)
            raise UserError(f"targets of one batch have different keys: {a} and {b}; give every item the same ones.")
        return {key: _joined([value[key] for value in values], names) for key in first}
    if isinstance(first, np.ndarray | Tensor):
        shapes = [tuple(value.shape) for value in values]
        if len(set(shapes)) > 1:
            a, b = _first_two_that_differ(shapes, names)
            raise UserError(f"targets of different shapes, {a} and {b}, do not fit into one batch; {WAY_OUT}.")
        return torch.stack(list(values)) if isinstance(first, Tensor) else torch.from_numpy(np.stack(values))
    if isinstance(first, Number | np.generic):
        return torch.tensor(values)
    return list(values)


def _first_two_that_differ(values: Sequence[Any], names: Sequence[str]) -> tuple[str, str]:
    other = next(index for index, value in enumerate(values) if value != values[0])
    return f"{values[0]} of {names[0]}", f"{values[other]} of {names[other]}"
