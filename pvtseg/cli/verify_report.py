"""What `pvtseg verify` tells the person who asked: facts, classes, and findings with their remedies."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pvtseg.data.verify.findings import KINDS, Finding

SHOWN = 5  # findings of a kind
ALL_CLASSES = 30  # up to so many classes are all shown, of more the rarest only
RAREST = 10

console = Console(highlight=False, soft_wrap=True)


def facts(content: dict[str, Any]) -> None:
    """A column per part: how many images, their sizes, colors and labels."""
    parts = content["parts"]
    table = Table(title=content["data"], title_justify="left")
    table.add_column("")
    for name in parts:
        table.add_column(name, justify="right")
    for title, key, text in ROWS:
        if any(key in part for part in parts.values()):
            table.add_row(title, *(text(part[key]) if key in part else "" for part in parts.values()))
    console.print(table)
    for name, part in parts.items():
        if part["examined"] < part["images"]:
            seen = f"{part['examined']:,} of the {part['images']:,} images of {name}"
            console.print(f"looked at {seen} only; verify.limit=null looks at all of them")


def classes(weights: dict[str, Any] | None) -> None:
    """How often each class occurs in training, and its weight; the rarest alone where there are many."""
    if weights is None:
        return
    rows = sorted(zip(weights["frequency"], weights["names"], weights["weights"], strict=True), reverse=True)
    many = len(rows) > ALL_CLASSES
    table = Table(title=f"the {RAREST} rarest of {len(rows)} classes" if many else "classes", title_justify="left")
    table.add_column("class")
    table.add_column("share", justify="right")
    table.add_column("weight", justify="right")
    for frequency, name, weight in rows[-RAREST:] if many else rows:
        table.add_row(name, f"{frequency:.3%}", f"{weight:.3f}")
    console.print(table)


def findings(found: Sequence[Finding], accepted: Collection[str]) -> None:
    """Kind by kind: what was found, in how many files, and what to do."""
    for kind, title in KINDS.items():
        of_kind = sorted((finding for finding in found if finding.kind == kind), key=lambda finding: not finding.serious)
        if not of_kind:
            continue
        serious = any(finding.serious for finding in of_kind) and kind not in accepted
        mark = "[bold red]mend[/]" if serious else "[yellow]know[/]"
        console.print(f"{mark}  {title} ({kind}, {len(of_kind)})")
        for finding in of_kind[:SHOWN]:
            console.print(f"      {finding.text}", markup=False)
        if len(of_kind) > SHOWN:
            console.print(f"      and {len(of_kind) - SHOWN} more; report.json lists all")


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
    ("looked at", "examined", "{:,}".format),
    ("size, most common", "sizes", _sizes),
    ("different sizes", "different_sizes", "{:,}".format),
    ("mean of red, green, blue", "mean", _channels),
    ("deviation", "deviation", _channels),
    ("labeled pixels", "labeled_share", "{:.1%}".format),
    ("pixels with a depth", "valid_share", "{:.1%}".format),
    ("nearest", "nearest", _meters),
    ("farthest", "farthest", _meters),
    ("mean depth", "mean_depth", _meters),
]
