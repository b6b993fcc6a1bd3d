"""Checks every image and label of a data set: what would go wrong in training, and what
to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from pvtseg.build import build_visualizer
from pvtseg.cli import verify_report as report
from pvtseg.cli.bar import bar
from pvtseg.cli.verify_report import console
from pvtseg.data.samples import Samples
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify import (
    KINDS,
    CheckedMasks,
    Expected,
    Finding,
    SplitStatistics,
    check_dataset,
    class_weights,
    judge,
)
from pvtseg.data.verify.checked_dataset import as_checked
from pvtseg.drawing import image_grid
from pvtseg.errors import UserError
from pvtseg.files import write_json
from pvtseg.instantiate import instantiate_node
from pvtseg.interfaces import Visualizer
from pvtseg.losses.class_weights import weights_file

SHOWN = 12  # samples in the picture


def verify(config: DictConfig) -> None:
    """Reports on the data. Raises UserError if training would go wrong, once everything
    has been checked.
    """
    _check_accepted(config.verify.accept)
    checked = check_splits(config)
    findings = judge_splits(config, checked)
    content = write(config, checked, findings)
    show(content, findings, config.verify.accept)
    raise_if_errors(findings, config.verify.accept)


@dataclass
class Checked:
    """The data sets that could be opened and the statistics of every split, by name,
    and the facts of the targets.
    """

    labels: ClassInfo | None = None
    depth: DepthRange | None = None
    samples: dict[str, Samples] = field(default_factory=dict)
    splits: dict[str, SplitStatistics] = field(default_factory=dict)


def check_splits(config: DictConfig) -> Checked:
    """Opens each split and checks its items."""
    OmegaConf.to_container(config.data, throw_on_missing=True)  # names a missing root itself, not the keys that use it
    checked = Checked(_target_info(config, "labels"), _target_info(config, "depth"))
    with bar(Console(stderr=True)) as progress:
        for name in ("train", "val"):
            split = checked.splits[name] = SplitStatistics(name)
            try:
                samples = checked.samples[name] = _open(config, name)
            except UserError as error:
                split.findings.append(Finding("layout", name, str(error)))
                continue
            split.count = len(samples)
            for file in as_checked(samples, name).unpaired:
                text = f"{file} has no label of its name; add the label, or take the image out."
                split.findings.append(Finding("no_label", name, text))
            options = {"limit": config.verify.limit, "num_workers": config.verify.num_workers}
            checks = check_dataset(samples, name, labels=checked.labels, depth=checked.depth, **options)
            total = min(split.count, config.verify.limit or split.count)
            for done, check in enumerate(checks, start=1):
                split.add(check)
                progress(name, done, total)
    return checked


def judge_splits(config: DictConfig, checked: Checked) -> list[Finding]:
    """All findings, about single items and whole splits."""
    masks = [samples for samples in checked.samples.values() if isinstance(samples, CheckedMasks)]
    expected = Expected(
        labels=checked.labels,
        counts=dict(config.origin.counts),
        batch_size=config.data.batch_size,
        eval_batch_size=config.data.eval_batch_size,
        has_label_map=all(samples.has_label_map for samples in masks),
    )
    return judge(checked.splits, expected)


def write(config: DictConfig, checked: Checked, findings: Sequence[Finding]) -> dict[str, Any]:
    """Writes report.json, samples.png and class_weights.json into the run's folder ->
    the report, with "written".

    The class weights also go into the cache, where loss.class_weights=auto finds them.
    """
    folder, root, train = Path(config.paths.run), config.data.get("root"), checked.splits["train"]
    folder.mkdir(parents=True, exist_ok=True)
    weights, written = None, []
    if checked.labels is not None and any(train.class_pixels):
        weights = class_weights(train, checked.labels)
        written.append(write_json(folder / "class_weights.json", weights))
        if root is not None:
            write_json(weights_file(root), weights)
    drawn = "train" if train.usable else "val"
    if checked.splits[drawn].usable:
        file = folder / "samples.png"
        draw_samples(checked.samples[drawn], checked.splits[drawn].usable, _visualizer(config, checked), file)
        written.append(file)
    content = {
        "data": config.data.name,
        "root": root,
        "splits": {name: split.facts() for name, split in checked.splits.items()},
        "classes": weights,
        "findings": [vars(finding) for finding in findings],
    }
    return {**content, "written": [*written, write_json(folder / "report.json", content)]}


def show(content: Mapping[str, Any], findings: Sequence[Finding], accepted: Sequence[str]) -> None:
    """Prints the report."""
    report.facts(content)
    report.classes(content["classes"])
    report.findings(findings, accepted)
    report.written(content["written"])


def raise_if_errors(findings: Sequence[Finding], accepted: Sequence[str]) -> None:
    """Raises UserError if a finding is an error whose kind is not accepted."""
    errors = [finding for finding in findings if finding.severity == "error" and finding.kind not in accepted]
    if errors:
        kinds = ",".join(dict.fromkeys(finding.kind for finding in errors))
        number = "1 finding" if len(errors) == 1 else f"{len(errors)} findings"
        raise UserError(
            f"training would go wrong: {number} of kind {kinds}; correct them as said above, or, where that is meant, "
            f"use 'verify.accept=[{kinds}]'."
        )
    console.print("nothing stands in the way of training")


def draw_samples(samples: Samples, sound: Sequence[int], visualizer: Visualizer, file: Path) -> None:
    """Writes a picture of samples with their targets, drawn at random from the sound
    ones, and always the same.
    """
    chosen = np.random.default_rng(0).permutation(sound)[:SHOWN].tolist()
    shown = [samples[index] for index in chosen]
    rows = [[sample["image"], visualizer(sample["target"], sample["image"])] for sample in shown]
    legend = visualizer.legend([sample["target"] for sample in shown])
    image_grid(rows, ["image", "target"], legend).save(file)


def _check_accepted(accepted: Sequence[str]) -> None:
    unknown = sorted(set(accepted) - KINDS.keys())
    if unknown:
        raise UserError(
            f"verify.accept names {unknown[0]}, which is no kind of finding; use some of {', '.join(KINDS)}."
        )


def _target_info(config: DictConfig, key: str) -> Any:
    """data.labels or data.depth; None where the data has none."""
    return instantiate_node(config.data[key], f"data.{key}") if key in config.data else None


def _open(config: DictConfig, split: str) -> Samples:
    """The samples of a split; what is missing of them is found later where the data set
    has the option `strict`.
    """
    node = config.data[split]
    return instantiate_node(node, f"data.{split}", **({"strict": False} if "strict" in node else {}))


def _visualizer(config: DictConfig, checked: Checked) -> Visualizer:
    """The configured visualizer; depth in the colors of the range that was seen."""
    if checked.labels is not None:  # with names that only the data has
        config.data.labels = {"_target_": "pvtseg.data.target_info.ClassInfo", **checked.labels.as_dict()}
    train = checked.splits["train"]
    if "min_depth" in config.visualizer and train.nearest < train.farthest:
        config.visualizer.min_depth, config.visualizer.max_depth = train.nearest, train.farthest
    return build_visualizer(config)
