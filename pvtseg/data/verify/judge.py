"""Findings about whole splits: counts, classes that never occur, the same images in
training and validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from pvtseg.data.target_info import ClassInfo
from pvtseg.data.verify.findings import Finding
from pvtseg.data.verify.hidden_class import hidden_class
from pvtseg.data.verify.statistics import SplitStatistics

SHOWN = 20  # of a kind of finding that could fill a screen


@dataclass(frozen=True)
class Expected:
    """The facts of the configuration.

    counts: published images by split, None where unknown. has_label_map: the user said
    what each value of the masks means.
    """

    labels: ClassInfo | None = None
    counts: Mapping[str, int | None] = field(default_factory=dict)
    batch_size: int = 1
    eval_batch_size: int = 1
    has_label_map: bool = True


def judge(splits: Mapping[str, SplitStatistics], expected: Expected) -> list[Finding]:
    """All findings: those of single items, and those of whole splits."""
    found = [finding for split in splits.values() for finding in split.findings]
    for split in splits.values():
        found += _counts(split, expected)
        found += _palettes(split)
        if expected.labels is not None and split.checked:
            found += _classes(split, expected.labels, has_label_map=expected.has_label_map)
    if "val" in splits:
        found += _batches(splits["val"], expected)
    if {"train", "val"} <= splits.keys():
        found += _duplicates(splits["train"], splits["val"])
    return found


def _counts(split: SplitStatistics, expected: Expected) -> Iterator[Finding]:
    published = expected.counts.get(split.name)
    if published is not None and split.count != published:
        text = (
            f"{split.name} has {split.count:,} images, published are {published:,}; "
            "fetch and unpack the data set again, or say how many it has with "
            f"origin.counts.{split.name}={split.count}."
        )
        yield Finding("count", split.name, text)
    if split.name == "train" and 0 < split.count < expected.batch_size:
        text = (
            f"train has {split.count} images, fewer than a batch of {expected.batch_size}; "
            f"use data.batch_size={split.count}."
        )
        yield Finding("count", split.name, text)


def _palettes(split: SplitStatistics) -> Iterator[Finding]:
    """Palette masks are read as palette indices, which is only correct if all masks
    share one palette.
    """
    palettes = {palette: seen for palette, seen in split.palettes.items() if palette is not None}
    plain = split.palettes.get(None)
    odd = list(palettes.values()) if plain is not None else sorted(palettes.values(), key=lambda seen: seen[1])[:-1]
    for name, count in odd[:SHOWN]:
        others = "the others are plain numbers" if plain is not None else "the others have another palette"
        text = (
            f"{name}{_more(count)} is a palette image and {others}: palette indices would be taken for classes; "
            "write all masks alike, as 8-bit gray with the class values."
        )
        yield Finding("palette", split.name, text)


def _classes(split: SplitStatistics, labels: ClassInfo, *, has_label_map: bool) -> Iterator[Finding]:
    pixels = np.broadcast_to(split.class_pixels, labels.num_classes)
    if not pixels.any() and not split.ignored:
        return  # no label could be read, which is said elsewhere
    if not has_label_map:
        hidden = hidden_class(pixels > 0, split.ignored > 0, labels)
        if hidden is not None:
            yield Finding("hidden_class", split.name, f"{hidden.message(f'the masks of {split.name}')}.")
            return
    absent = [name for name, count in zip(labels.names, pixels, strict=True) if count == 0]
    if absent and split.checked == split.count:
        named = ", ".join(map(repr, absent[:SHOWN])) + (", ..." if len(absent) > SHOWN else "")
        way_out = "add images that show them"
        if split.name == "train":
            way_out = f"they cannot be learned: {way_out}, or take them out of data.labels.names"
        text = f"{len(absent)} of {labels.num_classes} classes occur in no label of {split.name}: {named}; {way_out}."
        yield Finding("empty_class", split.name, text, "error" if split.name == "train" else "warning")


def _batches(val: SplitStatistics, expected: Expected) -> Iterator[Finding]:
    dense = val.depth_pixels > 0 or bool(np.any(np.not_equal(val.class_images, val.class_pixels)))
    if dense and len(val.sizes) > 1 and expected.eval_batch_size > 1:
        text = (
            f"the images of val have {len(val.sizes)} sizes and are evaluated {expected.eval_batch_size} at a time, "
            "which does not fit; use data.eval_batch_size=1."
        )
        yield Finding("size", "val", text)


def _duplicates(train: SplitStatistics, val: SplitStatistics) -> Iterator[Finding]:
    shared = [digest for digest in val.names if digest in train.names]
    for digest in shared[:SHOWN]:
        text = (
            f"{val.names[digest]} of val shows the same as {train.names[digest]} of train, so its score says nothing; "
            "take one of them out."
        )
        yield Finding("duplicate", "val", text)
    if len(shared) > SHOWN:
        yield Finding(
            "duplicate", "val", f"{len(shared) - SHOWN} more images of val are in train too; keep the two apart."
        )


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
