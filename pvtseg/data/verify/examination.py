"""One image and its label under the lens, in whichever process loads them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify.findings import Finding, kind_of
from pvtseg.errors import UserError
from pvtseg.interfaces import Sample

T = TypeVar("T")
PER_WORKER = 32  # images that are worth the start of a process


@dataclass(frozen=True)
class DepthSeen:
    """One depth map: meters, over its readings in range; pixels."""

    nearest: float
    farthest: float
    total: float
    readings: int
    pixels: int


@dataclass
class Exam:
    """What one item showed. Everything but `name` and `findings` is None where it could not be read.

    size: (height, width). levels (3, 256): how often each brightness occurs in each channel. classes (num_classes,): pixels
    of each class, or a one at the class of the image. ignored: pixels. digest: of the image's pixels. palette: how the mask
    encodes its values, None for plain numbers. target: the label's file.
    """

    name: str
    findings: list[Finding] = field(default_factory=list)
    size: tuple[int, int] | None = None
    levels: np.ndarray | None = None
    digest: bytes | None = None
    classes: np.ndarray | None = None
    ignored: int = 0
    depth: DepthSeen | None = None
    palette: bytes | None = None
    target: str = ""


def examine_all(
    samples: Dataset,
    part: str,
    truth: ClassInfo | DepthRange | None,
    *,
    limit: int | None = None,
    num_workers: int | None = None,
) -> Iterator[Exam]:
    """The exam of every item in order; of `limit` random ones, always the same, where given.

    num_workers: processes; None for one per core.
    """
    indices = np.arange(len(samples))
    if limit is not None and limit < len(samples):
        indices = np.sort(np.random.default_rng(0).permutation(indices)[:limit])
    examined = Examined(samples, part, truth, indices.tolist())
    cores = (os.cpu_count() or 1) if num_workers is None else num_workers
    yield from DataLoader(examined, batch_size=None, collate_fn=_as_it_is, num_workers=min(cores, len(indices) // PER_WORKER))


class Examined(Dataset):
    """A data set whose items are exams instead of samples. truth: what labels or depths may be."""

    def __init__(self, samples: Dataset, part: str, truth: ClassInfo | DepthRange | None, indices: Sequence[int]) -> None:
        self.samples = samples
        self.part = part
        self.truth = truth
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Exam:
        index = self.indices[position]
        exam = Exam(self._name(index))
        try:
            sample = self.samples[index]
            self._look_at_image(exam, sample["image"])
            self._look_at_target(exam, sample, index)
        except UserError as error:
            exam.findings.append(Finding(kind_of(error), self.part, str(error)))
        except Exception as error:  # a data set of the user's own may raise anything, and the others are still to be seen
            text = f"{exam.name}: {type(error).__name__}: {error}; mend the file or the data set's code"
            exam.findings.append(Finding("refused", self.part, text))
        return exam

    def _name(self, index: int) -> str:
        pairs = getattr(self.samples, "pairs", None)
        return f"{self.part} item {index}" if pairs is None else str(pairs[index].image)

    def _look_at_image(self, exam: Exam, image: np.ndarray) -> None:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise UserError(f"{exam.name} is {image.dtype} {image.shape}; wanted is uint8 (height, width, 3)")
        exam.size = image.shape[:2]
        exam.levels = np.stack([np.bincount(image[..., channel].ravel(), minlength=256) for channel in range(3)])
        exam.digest = hashlib.blake2b(np.ascontiguousarray(image), digest_size=8).digest()
        if (exam.levels > 0).sum() == 3:
            self._note(exam, "blank", f"{exam.name} is one single color; look at it, and take it out if it is damaged")

    def _look_at_target(self, exam: Exam, sample: Sample, index: int) -> None:
        target = sample["target"]
        if isinstance(self.truth, DepthRange):
            self._look_at_depth(exam, target, index)
        elif isinstance(self.truth, ClassInfo):
            self._look_at_classes(exam, np.atleast_1d(target), sample)
            if np.ndim(target):
                exam.target = _target_file(self.samples, index)
                exam.palette = _palette_of(exam.target)

    def _look_at_classes(self, exam: Exam, target: np.ndarray, sample: Sample) -> None:
        known = (target >= 0) & (target < self.truth.num_classes)
        ignored = target == self.truth.ignore_index
        if not (known | ignored).all():
            stray = sorted(set(target[~(known | ignored)].tolist()))
            wanted = f"0..{self.truth.num_classes - 1}, and {self.truth.ignore_index} for what is ignored"
            exam.findings.append(
                Finding("label", self.part, f"{sample['name']} has labels {stray[:5]}; wanted are {wanted}: mend its label")
            )
        exam.classes = np.bincount(target[known].ravel(), minlength=self.truth.num_classes)
        exam.ignored = int(ignored.sum())
        if not known.any():
            self._note(exam, "blank", f"the label of {exam.name} is all ignored, so that it teaches nothing; look at it")

    def _look_at_depth(self, exam: Exam, depth: np.ndarray, index: int) -> None:
        readings = depth[depth > 0]
        exam.depth = DepthSeen(
            nearest=float(readings.min(initial=np.inf)),
            farthest=float(readings.max(initial=0)),
            total=float(readings.sum(dtype=np.float64)),
            readings=readings.size,
            pixels=depth.size,
        )
        if text := self._strange_depth(index):
            exam.findings.append(Finding("depth", self.part, text))
        elif not readings.size:
            self._note(exam, "blank", f"{_target_file(self.samples, index)} has no reading at all; take the pair out, or mend it")

    def _strange_depth(self, index: int) -> str | None:
        """Why the depth map of that index cannot be in the unit that it is taken for, or None."""
        if not hasattr(self.samples, "readings"):
            return None
        file, scale = _target_file(self.samples, index), getattr(self.samples, "scale", 1)
        meters = self.samples.readings(index)
        meters = meters[meters > 0]
        if not meters.size:
            return None
        low, high = meters.min(), meters.max()
        seen = f"{file} reads {low:.4g}..{high:.4g} m with data.train.scale={scale}"
        if high / scale <= self.truth.max and scale < 1:
            return f"{seen}: its numbers, up to {high / scale:.4g}, are meters already; write it anew in the unit of the others"
        if not self.truth.keep(meters).any():
            return f"{seen}, all of it outside {self.truth.min}..{self.truth.max} m; write it anew in the unit of the others"
        return None

    def _note(self, exam: Exam, kind: str, text: str) -> None:
        exam.findings.append(Finding(kind, self.part, text, serious=False))


def _palette_of(file: str) -> bytes | None:
    """The palette of a mask that stores places in one; None for a mask that stores its values themselves."""
    if not file.lower().endswith((".png", ".gif", ".bmp", ".tif", ".tiff")):
        return None
    with Image.open(file) as mask:
        return bytes(mask.getpalette() or b"") if mask.mode in ("P", "PA") else None


def _target_file(samples: Dataset, index: int) -> str:
    pairs = getattr(samples, "pairs", None)
    return f"item {index}" if pairs is None else str(pairs[index].target)


def _as_it_is(item: T) -> T:
    return item
