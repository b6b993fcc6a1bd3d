"""What all exams of the training images, or of the validation images, come to."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pvtseg.data.verify.examination import Exam
from pvtseg.data.verify.findings import Finding


@dataclass
class Part:
    """Sums over exams. count: the images that the data set has, which may be more than were examined.

    class_pixels: per class; class_images: how many images show it; class_reach: all labeled pixels of those images.
    names: digest of an image -> what it is called. palettes: how the masks encode their values -> one of them, and how many.
    """

    name: str
    count: int = 0
    examined: int = 0
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
    readings: int = 0
    depth_pixels: int = 0

    def add(self, exam: Exam) -> None:
        """Counts one exam in."""
        self.examined += 1
        self.findings += exam.findings
        if exam.size is not None:
            self.sizes[exam.size] += 1
            self.levels = self.levels + exam.levels
            self._look_for_twin(exam)
        if exam.classes is not None:
            shown = exam.classes > 0
            self.class_pixels = self.class_pixels + exam.classes
            self.class_images = self.class_images + shown
            self.class_reach = self.class_reach + shown * exam.classes.sum()
            self.ignored += exam.ignored
            self.palettes.setdefault(exam.palette, [exam.target, 0])[1] += 1
        if exam.depth is not None:
            self.nearest = min(self.nearest, exam.depth.nearest)
            self.farthest = max(self.farthest, exam.depth.farthest)
            self.total_depth += exam.depth.total
            self.readings += exam.depth.readings
            self.depth_pixels += exam.depth.pixels

    def _look_for_twin(self, exam: Exam) -> None:
        twin = self.names.setdefault(exam.digest, exam.name)
        if twin != exam.name:
            text = f"{exam.name} shows the same as {twin}; keep one of them"
            self.findings.append(Finding("duplicate", self.name, text, serious=False))

    @property
    def mean(self) -> list[float]:
        """Of each channel, in 0..1."""
        return self._moment(1)

    @property
    def deviation(self) -> list[float]:
        """Of each channel, over all pixels, in 0..1."""
        return [math.sqrt(max(square - mean**2, 0)) for square, mean in zip(self._moment(2), self.mean, strict=True)]

    def _moment(self, power: int) -> list[float]:
        if not self.sizes:
            return [math.nan] * 3
        return (self.levels @ (np.arange(256) / 255) ** power / self.levels.sum(axis=1)).tolist()

    def facts(self) -> dict[str, Any]:
        """Plain numbers, for a report: meters, pixels, shares in 0..1."""
        found: dict[str, Any] = {"images": self.count, "examined": self.examined}
        if self.sizes:
            found["mean"], found["deviation"] = self.mean, self.deviation
            found["sizes"] = {f"{width}x{height}": count for (height, width), count in self.sizes.most_common(20)}
            found["different_sizes"] = len(self.sizes)
        labeled = int(self.class_pixels.sum())
        if labeled or self.ignored:
            found["labeled_share"] = labeled / (labeled + self.ignored)
        if self.depth_pixels:
            found["valid_share"] = self.readings / self.depth_pixels
        if self.readings:
            found["nearest"], found["farthest"] = self.nearest, self.farthest
            found["mean_depth"] = self.total_depth / self.readings
        return found
