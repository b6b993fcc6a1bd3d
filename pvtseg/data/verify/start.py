"""The check at the start of a training: some images, spread over the data set, in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pvtseg.data.samples import Samples
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify.checked_dataset import CheckedDepth, CheckedMasks
from pvtseg.data.verify.hidden_class import hidden_class
from pvtseg.data.verify.targets import is_depth, is_labels, single_targets
from pvtseg.errors import UserError

COUNT = 16  # images that are always looked at
MOST = 256  # images that are looked at before training is refused


def check_start(samples: Samples, *, labels: ClassInfo | None, depth: DepthRange | None) -> None:
    """Raises UserError if these training samples cannot be learned from.

    Refused are labels that do not exist, masks without any valid pixel, a class that
    the ignored value hides (where the user gave no label map), and depth maps without
    any valid depth. Integer targets are compared with `labels`, floating-point maps
    with `depth`, those in a mapping one by one; other targets are not checked.
    """
    if labels is None and depth is None:
        return
    checks = [*([_Labels(labels, samples)] if labels else []), *([_Depth(depth, samples)] if depth else [])]
    for number, index in enumerate(_spread(len(samples))):
        if number >= COUNT and not any(check.problem() for check in checks):
            return
        sample = samples[index]
        for target in single_targets(sample["target"]):
            for check in checks:
                check.add(target, sample["name"], index)
    for check in checks:
        if (message := check.problem()) is not None:
            raise UserError(f"{message}.")


class _Labels:
    """Segmentation maps and class indices."""

    def __init__(self, labels: ClassInfo, samples: Samples) -> None:
        self.labels = labels
        self.seen = np.zeros(labels.num_classes, bool)
        self.ignored = self.maps = 0
        self.may_hide = isinstance(samples, CheckedMasks) and not samples.has_label_map

    def add(self, target: Any, name: str, index: int) -> None:  # noqa: ARG002
        if not is_labels(target):
            return
        values = np.unique(target)
        ignored = values == self.labels.ignore_index
        stray = values[~ignored & ((values < 0) | (values >= self.labels.num_classes))].tolist()
        if stray:
            raise UserError(
                f"{name} has the labels {', '.join(map(str, stray[:5]))}; expected 0..{self.labels.num_classes - 1}, "
                f"and {self.labels.ignore_index} for what is ignored: correct the label, "
                "or name every class in data.labels.names."
            )
        self.seen[values[~ignored]] = True
        self.ignored += bool(ignored.any())
        self.maps += 1

    def problem(self) -> str | None:
        """The reason that these labels cannot be learned, without its full stop; None if they can."""
        if self.maps and not self.seen.any():
            return (
                f"no pixel of {self.maps} training masks has a class: all are data.labels.ignore_index="
                f"{self.labels.ignore_index}; correct the masks, or say what their values mean in data.train.label_map"
            )
        hidden = hidden_class(self.seen, self.ignored > 0, self.labels) if self.may_hide else None
        return None if hidden is None else hidden.message(f"{self.maps} training masks")


class _Depth:
    """Depth maps."""

    def __init__(self, depth: DepthRange, samples: Samples) -> None:
        self.range = depth
        self.samples = samples
        self.valid = self.maps = 0
        self.first: tuple[int, str] | None = None

    def add(self, target: Any, name: str, index: int) -> None:
        if not is_depth(target):
            return
        self.valid += int((target > 0).sum())
        self.maps += 1
        self.first = self.first or (index, name)

    def problem(self) -> str | None:
        """The reason that these depth maps cannot be learned, without its full stop; None if they can."""
        if self.first is None or self.valid:
            return None
        wanted = f"data.depth.min={self.range.min} to data.depth.max={self.range.max} m"
        text = f"no pixel of {self.maps} training depth maps has a depth from {wanted}"
        if not isinstance(self.samples, CheckedDepth):
            return f"{text}; correct the depth maps, or widen the range"
        index, name = self.first
        meters = self.samples.valid_depth(index)
        meters = meters[meters > 0]
        held = f"holds {meters.min():.4g}..{meters.max():.4g} m" if meters.size else "has no valid depth at all"
        return (
            f"{text}, and {name} {held} with data.train.scale={self.samples.scale}; set data.train.scale to the meters "
            "per unit of the files, such as data.train.scale=0.001 for millimeters, or widen the range"
        )


def _spread(count: int) -> Iterator[int]:
    """Up to MOST different indices below `count`: first COUNT evenly spread ones, then
    others at random.
    """
    even = np.linspace(0, count - 1, min(count, COUNT)).round().astype(int).tolist()
    others = np.random.default_rng(0).permutation(count)[: MOST + COUNT].tolist()
    yield from list(dict.fromkeys([*even, *others]))[:MOST]
