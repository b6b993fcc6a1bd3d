"""Statistics of one split: sums over the checks of its items."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pvtseg.data.verify.findings import Finding
from pvtseg.data.verify.sample_check import SampleCheck


@dataclass
class SplitStatistics:
    """Sums over the checks of a split.

    count: the images of the data set, which may be more than were checked. usable: the
    indices of checked items without errors. class_pixels: per class. class_images: how
    many images show the class. class_reach: all labeled pixels of those images.
    names: digest of an image -> its name.
    palettes: palette, or None for plain numbers -> one of the masks, and how many.
    """

    name: str
    count: int = 0
    checked: int = 0
    usable: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    levels: np.ndarray = field(default_factory=lambda: np.zeros((3, 256), np.int64))
    class_pixels: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))  # grows to one per class
    class_images: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    class_reach: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    ignored: int = 0
    names: dict[bytes, str] = field(default_factory=dict)
    palettes: dict[bytes | None, list[Any]] = field(default_factory=dict)
    nearest: float = math.inf
    farthest: float = 0.0
    total_depth: float = 0.0
    valid: int = 0
    depth_pixels: int = 0

    def add(self, check: SampleCheck) -> None:
        """Adds one check."""
        self.checked += 1
        self.findings += check.findings
        if all(finding.severity != "error" for finding in check.findings):
            self.usable.append(check.index)
        if check.size is not None and check.digest is not None:
            self.sizes[check.size] += 1
            self.levels = self.levels + check.levels
            self._find_duplicate(check.name, check.digest)
        if check.classes is not None:
            shown = check.classes > 0
            self.class_pixels = self.class_pixels + check.classes
            self.class_images = self.class_images + shown
            self.class_reach = self.class_reach + shown * check.classes.sum()
            self.ignored += check.ignored
            self.palettes.setdefault(check.palette, [check.target, 0])[1] += 1
        if check.depth is not None:
            self.nearest = min(self.nearest, check.depth.nearest)
            self.farthest = max(self.farthest, check.depth.farthest)
            self.total_depth += check.depth.total
            self.valid += check.depth.valid
            self.depth_pixels += check.depth.pixels

    def _find_duplicate(self, name: str, digest: bytes) -> None:
        first = self.names.setdefault(digest, name)
        if first != name:
            text = f"{name} shows the same as {first}; keep one of them."
            self.findings.append(Finding("duplicate", self.name, text, "warning"))

    @property
    def mean(self) -> list[float]:
        """The mean of each channel, in 0..1."""
        return self._moment(1)

    @property
    def deviation(self) -> list[float]:
        """The standard deviation of each channel, over all pixels, in 0..1."""
        return [math.sqrt(max(square - mean**2, 0)) for square, mean in zip(self._moment(2), self.mean, strict=True)]

    def _moment(self, power: int) -> list[float]:
        if not self.sizes:
            return [math.nan] * 3
        return (self.levels @ (np.arange(256) / 255) ** power / self.levels.sum(axis=1)).tolist()

    def facts(self) -> dict[str, Any]:
        """Plain numbers, for a report: meters, pixels, fractions in 0..1."""
        found: dict[str, Any] = {"images": self.count, "checked": self.checked}
        if self.sizes:
            found["mean"], found["deviation"] = self.mean, self.deviation
            found["sizes"] = {f"{width}x{height}": count for (height, width), count in self.sizes.most_common(20)}
            found["different_sizes"] = len(self.sizes)
        labeled = int(self.class_pixels.sum())
        if labeled or self.ignored:
            found["labeled_fraction"] = labeled / (labeled + self.ignored)
        if self.depth_pixels:
            found["valid_fraction"] = self.valid / self.depth_pixels
        if self.valid:
            found["nearest"], found["farthest"] = self.nearest, self.farthest
            found["mean_depth"] = self.total_depth / self.valid
        return found
