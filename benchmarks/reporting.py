"""Tables, files and plots of what was measured, and where it was measured."""

from __future__ import annotations

import csv
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from pvtseg.cli.measuring import device_name

RESULTS = Path(__file__).parent / "results"
OURS = "pvtseg"
Row = dict[str, Any]

console = Console(highlight=False, soft_wrap=True, width=170)


def facts(device: torch.device) -> Row:
    """Where and by which command a row came about."""
    return {
        "machine": device_name(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "command": " ".join([f"python benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
    }


def write(name: str, rows: Sequence[Row]) -> None:
    """results/NAME.csv."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    console.print(f"wrote {file.relative_to(RESULTS.parents[1])}")


def draw_bars(name: str, rows: Sequence[Row]) -> None:
    """results/NAME.png: how many times as long as ours each takes."""
    if find_spec("matplotlib") is None:
        console.print("no plot was drawn: matplotlib comes with `uv sync --group benchmarks`")
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    others = [row for row in rows if row["contestant"] != OURS]
    figure, axes = pyplot.subplots(figsize=(9, 0.8 + 0.35 * len(others)), layout="constrained")
    bars = axes.barh([f"{row['work']}: {row['contestant']}" for row in others], [row["ratio"] for row in others])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.margins(x=0.1)
    axes.axvline(1, color="black", linewidth=1)
    axes.invert_yaxis()
    figure.supxlabel(f"time, as a multiple of pvtseg's ({rows[0]['machine']})", fontsize="medium")
    file = RESULTS / f"{name}.png"
    figure.savefig(file, dpi=120)
    console.print(f"wrote {file.relative_to(RESULTS.parents[1])}")


def print_table(rows: Sequence[Row]) -> None:
    """One contest."""
    table = Table(title=rows[0]["work"], title_justify="left")
    for title in (
        "",
        "seconds",
        "quartiles (s)",
        "core seconds",
        "per second",
        "and core",
        "ratio",
        "goal",
        "MiB",
        "ratio",
        "goal",
        "agrees",
    ):
        table.add_column(title, justify="left" if title in ("", "agrees") else "right")
    for row in rows:
        table.add_row(
            f"{row['contestant']} {row['version']}",
            str(row["seconds"]),
            f"{row['lower_quartile']} to {row['upper_quartile']}",
            *(
                str(row[key])
                for key in (
                    "core_seconds",
                    "units_per_second",
                    "units_per_core_second",
                    "ratio",
                    "goal",
                    "peak_mib",
                    "memory_ratio",
                    "memory_goal",
                )
            ),
            row["agrees"],
        )
    console.print(table)


def rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def version(name: str) -> str:
    """Of a contestant that is a library."""
    try:
        return installed(name.replace("_", "-"))
    except PackageNotFoundError:
        return ""
