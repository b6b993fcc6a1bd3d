"""The report of `pvtseg verify` on the terminal: facts, classes, and findings with what
to do.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pvtseg.data.verify.findings import KINDS, Finding

SHOWN = 5  # findings of a kind
ALL_CLASSES = 30  # up to so many classes are all shown, of more the rarest only
RAREST = 10

console = Console(highlight=False, soft_wrap=True)


def facts(content: Mapping[str, Any]) -> None:
    """A column per split: how many images, their sizes, colors and labels."""
    splits = content["splits"]
    table = Table(title=" ".join(filter(None, (content["data"], content["root"]))), title_justify="left")
    table.add_column("")
    for name in splits:
        table.add_column(name, justify="right")
    for title, key, text in ROWS:
        if any(key in split for split in splits.values()):
            table.add_row(title, *(text(split[key]) if key in split else "" for split in splits.values()))
    console.print(table)
    for name, split in splits.items():
        if split["checked"] < split["images"]:
            seen = f"{split['checked']:,} of the {split['images']:,} images of {name}"
            console.print(f"checked {seen} only; verify.limit=null checks all of them")


def classes(weights: dict[str, Any] | None) -> None:
    """The fraction and the weight of each class in training; the rarest alone where
    there are many.
    """
    if weights is None:
        return
    rows = sorted(zip(weights["frequency"], weights["names"], weights["weights"], strict=True), reverse=True)
    many = len(rows) > ALL_CLASSES
    table = Table(title=f"the {RAREST} rarest of {len(rows)} classes" if many else "classes", title_justify="left")
    table.add_column("class")
    table.add_column("fraction", justify="right")
    table.add_column("weight", justify="right")
    for frequency, name, weight in rows[-RAREST:] if many else rows:
        table.add_row(name, f"{frequency:.3%}", f"{weight:.3f}")
    console.print(table)


def findings(found: Sequence[Finding], accepted: Collection[str]) -> None:
    """Kind by kind: what was seen, in how many files, and what to do."""
    for kind, title in KINDS.items():
        of_kind = sorted((finding for finding in found if finding.kind == kind), key=lambda finding: finding.severity)
        if not of_kind:
            continue
        is_error = of_kind[0].severity == "error" and kind not in accepted
        mark = "[bold red]error[/]  " if is_error else "[yellow]warning[/]"
        console.print(f"{mark}  {title} ({kind}, {len(of_kind)})")
        for finding in of_kind[:SHOWN]:
            console.print(f"         {finding.text}", markup=False)
        if len(of_kind) > SHOWN:
            console.print(f"         and {len(of_kind) - SHOWN} more; report.json lists all")


def written(paths: Iterable[Path]) -> None:
    """The files that are there now."""
    for path in paths:
        console.print(f"wrote {path}")


def _sizes(sizes: dict[str, int]) -> str:
    size, count = next(iter(sizes.items()))
    return size if len(sizes) == 1 else f"{size} ({count:,})"


def _channels(values: list[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _meters(value: float) -> str:
    return f"{value:.3f} m"


ROWS = [
    ("images", "images", "{:,}".format),
    ("checked", "checked", "{:,}".format),
    ("size, most common", "sizes", _sizes),
    ("different sizes", "different_sizes", "{:,}".format),
    ("mean of red, green, blue", "mean", _channels),
    ("deviation", "deviation", _channels),
    ("labeled pixels", "labeled_fraction", "{:.1%}".format),
    ("pixels with valid depth", "valid_fraction", "{:.1%}".format),
    ("nearest", "nearest", _meters),
    ("farthest", "farthest", _meters),
    ("mean depth", "mean_depth", _meters),
]
