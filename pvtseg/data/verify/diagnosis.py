"""What shows only when all images have been seen: counts, classes that never occur, copies between training and validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from pvtseg.data.target_info import ClassInfo
from pvtseg.data.verify.findings import Finding
from pvtseg.data.verify.statistics import Part

SHOWN = 20  # of a kind of finding that could fill a screen


@dataclass(frozen=True)
class Expected:
    """What the configuration says. counts: published images, by part; None where unknown. has_label_map: of the masks."""

    labels: ClassInfo | None = None
    counts: Mapping[str, int | None] = field(default_factory=dict)
    batch_size: int = 1
    eval_batch_size: int = 1
    has_label_map: bool = True


def diagnose(parts: Mapping[str, Part], expected: Expected) -> list[Finding]:
    """All findings: those of the single images, and those of the whole."""
    found = [finding for part in parts.values() for finding in part.findings]
    for part in parts.values():
        found += _counts(part, expected)
        found += _palettes(part)
        if expected.labels is not None and part.examined:
            found += _classes(part, expected)
    if "val" in parts:
        found += _batches(parts["val"], expected)
    if {"train", "val"} <= parts.keys():
        found += _copies(parts["train"], parts["val"])
    return found


def _counts(part: Part, expected: Expected) -> Iterator[Finding]:
    published = expected.counts.get(part.name)
    if published is not None and part.count != published:
        text = (
            f"{part.name} has {part.count:,} images, published are {published:,}; fetch and unpack the data set again, or say "
            f"how many it is to have with source.counts.{part.name}={part.count}"
        )
        yield Finding("count", part.name, text)
    if part.name == "train" and 0 < part.count < expected.batch_size:
        text = f"train has {part.count} images, fewer than a batch of {expected.batch_size}; use data.batch_size={part.count}"
        yield Finding("count", part.name, text)


def _palettes(part: Part) -> Iterator[Finding]:
    """A place in a palette is taken for the class: right where all masks share one palette, wrong where each has its own."""
    palettes = {palette: seen for palette, seen in part.palettes.items() if palette is not None}
    plain = part.palettes.get(None)
    odd = list(palettes.values()) if plain is not None else sorted(palettes.values(), key=lambda seen: seen[1])[:-1]
    for name, count in odd[:SHOWN]:
        others = "the others are plain numbers" if plain is not None else "the others have another palette"
        text = (
            f"{name}{_more(count)} is a palette image and {others}: places in a palette would be taken for classes; "
            "write all masks alike, as 8-bit gray with the class values"
        )
        yield Finding("palette", part.name, text)


def _classes(part: Part, expected: Expected) -> Iterator[Finding]:
    labels = expected.labels
    pixels = np.broadcast_to(part.class_pixels, labels.num_classes)
    if not pixels.any() and not part.ignored:
        return  # no label could be read, which is said elsewhere
    absent = [name for name, count in zip(labels.names, pixels, strict=True) if count == 0]
    reads_255_as_nothing = not expected.has_label_map and labels.ignore_index == 255 and part.ignored > 0
    if reads_255_as_nothing and labels.num_classes == 2 and absent == [labels.names[1]]:
        text = (
            f"the masks of {part.name} hold 0 and 255 only, and 255 is ignored, so that {absent[0]!r} is never seen; "
            "if 255 is that class, set data.train.label_map={0: 0, 255: 1}"
        )
        yield Finding("two_values", part.name, text)
        return
    if absent and part.examined == part.count:
        named = ", ".join(map(repr, absent[:SHOWN])) + (", ..." if len(absent) > SHOWN else "")
        remedy = "add images that show them"
        if part.name == "train":
            remedy = f"they cannot be learned: {remedy}, or take them out of data.labels.names"
        text = f"{len(absent)} of {labels.num_classes} classes occur in no label of {part.name}: {named}; {remedy}"
        yield Finding("empty_class", part.name, text, serious=part.name == "train")


def _batches(val: Part, expected: Expected) -> Iterator[Finding]:
    dense = val.depth_pixels > 0 or bool(np.any(np.not_equal(val.class_images, val.class_pixels)))
    if dense and len(val.sizes) > 1 and expected.eval_batch_size > 1:
        text = (
            f"the images of val have {len(val.sizes)} sizes and are evaluated {expected.eval_batch_size} at a time, "
            "which does not fit; use data.eval_batch_size=1"
        )
        yield Finding("size", "val", text)


def _copies(train: Part, val: Part) -> Iterator[Finding]:
    shared = [digest for digest in val.names if digest in train.names]
    for digest in shared[:SHOWN]:
        text = (
            f"{val.names[digest]} of val shows the same as {train.names[digest]} of train, so that its score says nothing; "
            "take one of them out"
        )
        yield Finding("duplicate", "val", text)
    if len(shared) > SHOWN:
        yield Finding("duplicate", "val", f"{len(shared) - SHOWN} more images of val are in train too; keep the two apart")


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
