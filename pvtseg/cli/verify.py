"""Checks every image and label of a data set: what would go wrong in training, and what to do."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from pvtseg.cli.app import run
from pvtseg.cli.only_task import name_the_only_task
from pvtseg.errors import UserError

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from pvtseg.data.target_info import ClassInfo, DepthRange
    from pvtseg.data.verify import Finding, SplitStatistics

SHOWN = 12  # images in the contact sheet


def main() -> None:
    """`pvtseg verify data=NAME ...`."""
    name_the_only_task(sys.argv)
    run(verify, "verify")


def verify(config: DictConfig) -> None:
    """Reports on the data. Raises UserError if training would go wrong, once everything has been checked."""
    _check_accepted(config.verify.accept)
    target_info = _target_info(config)
    splits, samples = check_splits(config, target_info)
    findings = _judge(config, splits, samples, target_info)
    content = write(config, splits, samples, findings, target_info)
    show(content, findings, config.verify.accept)
    raise_if_errors(findings, config.verify.accept)


def check_splits(
    config: DictConfig, target_info: "ClassInfo | DepthRange"
) -> "tuple[dict[str, SplitStatistics], dict[str, Dataset]]":
    """The statistics of each split, and the samples of those splits that could be opened."""
    from rich.console import Console

    from pvtseg.build import build_samples
    from pvtseg.cli.bar import bar
    from pvtseg.data.verify import Finding, SplitStatistics, check_dataset
    from pvtseg.data.verify.checked_dataset import as_checked

    splits, samples = {}, {}
    with bar(Console(stderr=True)) as progress:
        for name in ("train", "val"):
            split = splits[name] = SplitStatistics(name)
            try:
                opened = samples[name] = build_samples(config, name, strict=False)
            except UserError as error:
                split.findings.append(Finding("layout", name, str(error)))
                continue
            split.count = len(opened)
            for file in as_checked(opened, name).unpaired:
                text = f"{file} has no label of its name; add the label, or take the image out."
                split.findings.append(Finding("no_label", name, text))
            checks = check_dataset(opened, name, target_info, limit=config.verify.limit, num_workers=config.verify.num_workers)
            total = min(split.count, config.verify.limit or split.count)
            for done, check in enumerate(checks, start=1):
                split.add(check)
                progress(name, done, total)
    return splits, samples


def write(
    config: DictConfig,
    splits: "Mapping[str, SplitStatistics]",
    samples: "Mapping[str, Dataset]",
    findings: "Sequence[Finding]",
    target_info: "ClassInfo | DepthRange",
) -> dict[str, Any]:
    """Writes report.json, the contact sheet and class_weights.json into the run's folder -> the report, with "written".

    The class weights also go into the cache, where loss.class_weights=auto finds them.
    """
    from pvtseg.data.target_info import ClassInfo
    from pvtseg.data.verify import class_weights
    from pvtseg.losses.class_weights import weights_file

    folder, root, train = Path(config.paths.run), config.data.get("root"), splits["train"]
    weights, written = None, []
    if isinstance(target_info, ClassInfo) and any(train.class_pixels):
        weights = class_weights(train, target_info)
        written.append(_write_json(weights, folder / "class_weights.json"))
        if root is not None:
            _write_json(weights, weights_file(root))
    sheet = draw_samples(samples.get("train") or samples.get("val"), _visualizer(config, train), folder / "samples.png")
    content = {
        "data": config.data.name,
        "root": root,
        "splits": {name: split.facts() for name, split in splits.items()},
        "classes": weights,
        "findings": [vars(finding) for finding in findings],
    }
    written += [*sheet, _write_json(content, folder / "report.json")]
    return {**content, "written": written}


def show(content: Mapping[str, Any], findings: "Sequence[Finding]", accepted: Sequence[str]) -> None:
    """Prints the report."""
    from pvtseg.cli import verify_report as report

    report.facts(content)
    report.classes(content["classes"])
    report.findings(findings, accepted)
    report.written(content["written"])


def raise_if_errors(findings: "Sequence[Finding]", accepted: Sequence[str]) -> None:
    """Raises UserError if a finding is an error whose kind is not accepted."""
    from pvtseg.cli.verify_report import console

    errors = [finding for finding in findings if finding.severity == "error" and finding.kind not in accepted]
    if errors:
        kinds = ",".join(dict.fromkeys(finding.kind for finding in errors))
        number = "1 finding" if len(errors) == 1 else f"{len(errors)} findings"
        raise UserError(
            f"training would go wrong: {number} of kind {kinds}; correct them as said above, or, where that is meant, use "
            f"'verify.accept=[{kinds}]'."
        )
    console.print("nothing stands in the way of training")


def draw_samples(samples: "Dataset | None", visualizer: Any, file: Path) -> list[Path]:
    """Writes a contact sheet of samples with their targets, drawn at random and always the same, of those that can be read."""
    from pvtseg.drawing import sheet

    rows, targets = [], []
    for index in np.random.default_rng(0).permutation(0 if samples is None else len(samples)).tolist():
        if len(rows) == SHOWN:
            break
        try:
            sample = samples[index]
            rows.append([sample["image"], visualizer(sample["target"], sample["image"])])
        except (UserError, LookupError, ValueError, TypeError):  # the report says what is wrong with it
            continue
        targets.append(sample["target"])
    if not rows:
        return []
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet(rows, ["image", "target"], visualizer.legend(targets)).save(file)
    return [file]


def _check_accepted(accepted: Sequence[str]) -> None:
    from pvtseg.data.verify import KINDS

    unknown = sorted(set(accepted) - KINDS.keys())
    if unknown:
        raise UserError(f"verify.accept names {unknown[0]}, which is no kind of finding; use some of {', '.join(KINDS)}.")


def _target_info(config: DictConfig) -> "ClassInfo | DepthRange":
    """The facts of the targets; class names that only the data has are written into the configuration."""
    from pvtseg.build import build_truth
    from pvtseg.data.target_info import ClassInfo

    target_info = build_truth(config)
    if isinstance(target_info, ClassInfo):
        config.data.labels = {"_target_": "pvtseg.data.target_info.ClassInfo", **target_info.as_dict()}
    return target_info


def _judge(
    config: DictConfig,
    splits: "Mapping[str, SplitStatistics]",
    samples: "Mapping[str, Dataset]",
    target_info: "ClassInfo | DepthRange",
) -> "list[Finding]":
    from pvtseg.data.target_info import ClassInfo
    from pvtseg.data.verify import CheckedMasks, Expected, judge

    masks = [opened for opened in samples.values() if isinstance(opened, CheckedMasks)]
    expected = Expected(
        labels=target_info if isinstance(target_info, ClassInfo) else None,
        counts=OmegaConf.to_container(config.origin.counts),
        batch_size=config.data.batch_size,
        eval_batch_size=config.data.eval_batch_size,
        has_label_map=all(opened.has_label_map for opened in masks),
    )
    return judge(splits, expected)


def _visualizer(config: DictConfig, train: "SplitStatistics") -> Any:
    """The configured visualizer; depth in the colors of the range that was seen."""
    from pvtseg.build import build_painter

    if train.nearest < train.farthest:
        config.painter.min_depth, config.painter.max_depth = train.nearest, train.farthest
    return build_painter(config)


def _write_json(content: Mapping[str, Any], file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2) + "\n")
    return partial.replace(file)
