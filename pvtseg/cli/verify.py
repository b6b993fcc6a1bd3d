"""Looks at every image and label of a data set, and says what would go wrong in training."""

import json
import sys
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
    from pvtseg.data.verify import Part

ON_SHEET = 12


def main() -> None:
    """`pvtseg verify data=NAME ...`."""
    name_the_only_task(sys.argv)
    run(verify, "verify")


def verify(config: DictConfig) -> None:
    """Reports on the data. Raises UserError when training would go wrong, once everything has been looked at."""
    from pvtseg.build import build_painter, build_truth
    from pvtseg.cli import verify_report as report
    from pvtseg.data.target_info import ClassInfo
    from pvtseg.data.verify import Expected, class_weights, diagnose
    from pvtseg.data.verify.findings import KINDS

    unknown = sorted(set(config.verify.accept) - KINDS.keys())
    if unknown:
        raise UserError(f"verify.accept names {unknown[0]}, which is no kind of finding; use some of {', '.join(KINDS)}.")
    truth = build_truth(config)
    labels = truth if isinstance(truth, ClassInfo) else None
    if labels is not None:  # names that only the data knows, for the painter
        config.data.labels = {"_target_": "pvtseg.data.target_info.ClassInfo", **labels.as_dict()}
    parts, samples = _look(config, truth)
    expected = Expected(
        labels=labels,
        counts=OmegaConf.to_container(config.origin.counts),
        batch_size=config.data.batch_size,
        eval_batch_size=config.data.eval_batch_size,
        has_label_map=config.data.train.get("label_map") is not None,
    )
    findings = diagnose(parts, expected)

    folder = Path(config.paths.run)
    folder.mkdir(parents=True, exist_ok=True)
    root = config.data.get("root")
    written = []
    weights = class_weights(parts["train"], labels) if labels is not None and any(parts["train"].class_pixels) else None
    if weights is not None:
        written.append(_write_weights(weights, folder if root is None else Path(root).expanduser() / ".pvtseg"))
    nearest, farthest = parts["train"].nearest, parts["train"].farthest
    if nearest < farthest:  # there are depths: in the colors of what was seen, not of what could be
        config.painter.min_depth, config.painter.max_depth = nearest, farthest
    written += _draw(samples, build_painter(config), "label" if labels else "depth", folder / "sheet.png")
    content = {
        "data": config.data.name if root is None else f"{config.data.name} {root}",
        "parts": {name: part.facts() for name, part in parts.items()},
        "classes": weights,
        "findings": [vars(finding) for finding in findings],
    }
    written.append(_write_json(content, folder / "report.json"))

    serious = [finding for finding in findings if finding.serious and finding.kind not in config.verify.accept]
    report.facts(content)
    report.classes(weights)
    report.findings(findings, config.verify.accept)
    report.written([path for path in written if path is not None])
    if serious:
        kinds = ",".join(dict.fromkeys(finding.kind for finding in serious))
        number = "1 finding" if len(serious) == 1 else f"{len(serious)} findings"
        raise UserError(
            f"training would go wrong: {number} of kind {kinds}; mend them as said above, or, where that is meant, "
            f"verify.accept=[{kinds}]."
        )
    report.console.print("nothing stands in the way of training")


def _look(config: DictConfig, truth: "ClassInfo | DepthRange") -> tuple[dict[str, "Part"], dict[str, "Dataset"]]:
    """Every part, examined, and the samples of those parts that could be opened."""
    from rich.console import Console

    from pvtseg.build import build_samples
    from pvtseg.cli.bar import bar
    from pvtseg.data.verify import Finding, Part, examine_all

    parts, samples = {}, {}
    with bar(Console(stderr=True)) as progress:
        for name in ("train", "val"):
            part = parts[name] = Part(name)
            try:
                opened = build_samples(config, name, strict=False)
            except UserError as error:
                part.findings.append(Finding("layout", name, str(error)))
                continue
            samples[name] = opened
            part.count = len(opened)
            for file in getattr(opened, "unpaired", ()):
                text = f"{file} has no label of its name; add the label, or take the image out"
                part.findings.append(Finding("no_label", name, text))
            exams = examine_all(opened, name, truth, limit=config.verify.limit, num_workers=config.verify.num_workers)
            total = min(part.count, config.verify.limit or part.count)
            for done, exam in enumerate(exams, start=1):
                part.add(exam)
                progress(name, done, total)
    return parts, samples


def _draw(samples: dict[str, "Dataset"], painter: Any, title: str, file: Path) -> list[Path]:
    """A sheet of training images with their labels, drawn at random and always the same; of those that can be read."""
    from pvtseg.drawing import sheet

    train = samples.get("train") or samples.get("val") or []
    rows, targets = [], []
    for index in np.random.default_rng(0).permutation(len(train)).tolist():
        if len(rows) == ON_SHEET:
            break
        try:
            sample = train[index]
            rows.append([sample["image"], painter(sample["target"], sample["image"])])
        except Exception:  # the report says what is wrong with it
            continue
        targets.append(sample["target"])
    if not rows:
        return []
    sheet(rows, ["image", title], painter.legend(targets)).save(file)
    return [file]


def _write_weights(weights: dict[str, Any], folder: Path) -> Path | None:
    """Where loss.class_weights=auto looks for it; None, with a word of why, where the folder cannot be written."""
    from pvtseg.cli import verify_report as report

    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write_json(weights, folder / "class_weights.json")
    except OSError as error:
        report.console.print(f"the class weights cannot be written into {folder}: {error.strerror}")
        return None


def _write_json(content: dict[str, Any], file: Path) -> Path:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2) + "\n")
    return partial.replace(file)
