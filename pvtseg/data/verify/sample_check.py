"""The check of one image and its target, in whichever process loads them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Subset

from pvtseg.data.samples import Samples
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify.checked_dataset import CheckedDataset, CheckedDepth, as_checked
from pvtseg.data.verify.findings import Finding, kind_of
from pvtseg.data.verify.targets import is_depth, is_labels, single_targets
from pvtseg.errors import UserError

T = TypeVar("T")
PER_WORKER = 32  # images that are worth the start of a process


@dataclass(frozen=True)
class DepthStatistics:
    """One depth map: meters over its valid depth, and numbers of pixels."""

    nearest: float
    farthest: float
    total: float
    valid: int
    pixels: int


@dataclass
class SampleCheck:
    """The findings and numbers of one item. All but its name, index and findings is
    None where it could not be read.

    size: (height, width). levels (3, 256): how often each brightness occurs in each
    channel. digest: of the image's pixels. classes (num_classes,): pixels of each
    class, or a one at the class of the image. ignored: pixels. target: the file of the
    target. palette: the palette of the mask, None for a mask of plain numbers.
    """

    name: str
    index: int
    findings: list[Finding] = field(default_factory=list)
    size: tuple[int, int] | None = None
    levels: np.ndarray | None = None
    digest: bytes | None = None
    classes: np.ndarray | None = None
    ignored: int = 0
    depth: DepthStatistics | None = None
    palette: bytes | None = None
    target: str = ""


def check_dataset(
    samples: Samples,
    split: str,
    *,
    labels: ClassInfo | None = None,
    depth: DepthRange | None = None,
    limit: int | None = None,
    num_workers: int | None = None,
) -> Iterator[SampleCheck]:
    """The check of every item in order, or of `limit` random ones, always the same.

    labels, depth: the values that targets may have.

    num_workers: processes; None for one per core.
    """
    indices = np.arange(len(samples))
    if limit is not None and limit < len(samples):
        indices = np.sort(np.random.default_rng(0).permutation(indices)[:limit])
    checks = Subset(_Checks(as_checked(samples, split), split, labels, depth), indices.tolist())
    cores = (os.cpu_count() or 1) if num_workers is None else num_workers
    workers = min(cores, len(indices) // PER_WORKER)
    yield from DataLoader(checks, batch_size=None, collate_fn=_unchanged, num_workers=workers)


class _Checks(Dataset):
    """The checks of a data set's items, for a data loader."""

    def __init__(self, samples: CheckedDataset, split: str, labels: ClassInfo | None, depth: DepthRange | None) -> None:
        self.arguments = samples, split, labels, depth

    def __getitem__(self, index: int) -> SampleCheck:
        samples, split, labels, depth = self.arguments
        return check_sample(samples, index, split, labels=labels, depth=depth)


def check_sample(
    samples: CheckedDataset, index: int, split: str, *, labels: ClassInfo | None, depth: DepthRange | None
) -> SampleCheck:
    """Loads one item and checks its image and its targets: integers against `labels`,
    floating-point maps against `depth`.
    """
    files = samples.files(index)
    check = SampleCheck(str(files["image"]), index)
    check.target = str(files.get("target", check.name))
    try:
        sample = samples[index]
        _check_image(check, split, sample["image"])
        for target in single_targets(sample["target"]):
            if labels is not None and is_labels(target):
                _check_classes(check, split, target, labels)
            elif depth is not None and is_depth(target):
                _check_depth(check, split, target, samples, depth)
            elif isinstance(target, np.ndarray):
                raise UserError(_unfit_target(check.target, target))
    except UserError as error:
        check.findings.append(Finding(kind_of(error), split, str(error)))
    except (
        Exception
    ) as error:  # a data set from outside may raise anything, and the other items are still to be checked
        text = f"{check.name}: {type(error).__name__}: {error}; correct the file or the data set's code."
        check.findings.append(Finding("refused", split, text))
    return check


def _check_image(check: SampleCheck, split: str, image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UserError(
            f"{check.name} is {image.dtype} {image.shape}; expected uint8 (height, width, 3); correct the data set."
        )
    check.size = image.shape[:2]
    check.levels = np.stack([np.bincount(image[..., channel].ravel(), minlength=256) for channel in range(3)])
    check.digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest()
    if (check.levels > 0).sum() == 3:
        text = f"{check.name} is one single color; look at it, and take it out if it is damaged."
        check.findings.append(Finding("blank", split, text, "warning"))


def _check_classes(check: SampleCheck, split: str, target: np.ndarray | int, labels: ClassInfo) -> None:
    values = np.atleast_1d(target)
    known = (values >= 0) & (values < labels.num_classes)
    ignored = values == labels.ignore_index
    if not (known | ignored).all():
        stray = sorted(set(values[~(known | ignored)].tolist()))
        text = (
            f"{check.target} has labels {stray[:5]}; expected 0..{labels.num_classes - 1}, and {labels.ignore_index} "
            "for what is ignored: correct the label."
        )
        check.findings.append(Finding("label", split, text))
    check.classes = np.bincount(values[known].ravel(), minlength=labels.num_classes)
    check.ignored = int(ignored.sum())
    if not known.any():
        text = f"the label of {check.name} is all ignored, so it contributes nothing to the loss; look at it."
        check.findings.append(Finding("blank", split, text, "warning"))
    if np.ndim(target):
        check.palette = _palette_of(check.target)


def _check_depth(
    check: SampleCheck, split: str, depth: np.ndarray, samples: CheckedDataset, depth_range: DepthRange
) -> None:
    valid = depth[depth > 0]
    check.depth = DepthStatistics(
        nearest=float(valid.min(initial=np.inf)),
        farthest=float(valid.max(initial=0)),
        total=float(valid.sum(dtype=np.float64)),
        valid=valid.size,
        pixels=depth.size,
    )
    wrong = _wrong_unit(samples, check.index, depth_range) if isinstance(samples, CheckedDepth) else None
    if wrong is not None:
        check.findings.append(Finding("depth", split, f"{wrong}; write it again in the unit of the others."))
    elif not valid.size:
        text = f"{check.target} has no valid depth at all; take the pair out, or correct it."
        check.findings.append(Finding("blank", split, text, "warning"))


def _wrong_unit(samples: CheckedDepth, index: int, depth_range: DepthRange) -> str | None:
    """The reason that a depth map cannot be in the unit of data.train.scale; None if it can."""
    meters = samples.valid_depth(index)
    meters = meters[meters > 0]
    if not meters.size:
        return None
    low, high = meters.min(), meters.max()
    file = samples.files(index)["target"]
    seen = f"{file} holds {low:.4g}..{high:.4g} m with data.train.scale={samples.scale}"
    if high / samples.scale <= depth_range.max and samples.scale < 1:
        return f"{seen}: its numbers, up to {high / samples.scale:.4g}, are meters already"
    if not depth_range.keep(meters).any():
        return f"{seen}, all of it outside {depth_range.min}..{depth_range.max} m"
    return None


def _unfit_target(file: str, target: np.ndarray) -> str:
    return (
        f"{file} gives {target.dtype} {target.shape}; expected an integer map (height, width) or a class index "
        "for data.labels, a floating-point map (height, width) for data.depth; correct the data set."
    )


def _palette_of(file: str) -> bytes | None:
    """The palette of a mask that stores palette indices; None for a mask that stores
    its values.
    """
    if not file.lower().endswith((".png", ".gif", ".bmp", ".tif", ".tiff")):
        return None
    with Image.open(file) as mask:
        return bytes(mask.getpalette() or b"") if mask.mode in ("P", "PA") else None


def _unchanged(item: T) -> T:
    return item
