"""The printed report of `pvtseg benchmark`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(highlight=False, soft_wrap=True, markup=False)


def header(content: dict[str, Any]) -> None:
    """Prints what is measured, and on what."""
    model = f"{content['backbone']}, {content['head']}, {content['parameters'] / 1e6:.2f} M parameters"
    compiled = ", compiled" if content["compile"] else ""
    lines = {
        "task": content["task"],
        "model": model,
        "weights": content["checkpoint"] or "random",
        "device": f"{content['device']}, {content['dtype']}{compiled}, torch {content['torch']}",
    }
    for name, value in lines.items():
        console.print(f"{name:>9}  {value}")


def measurements(rows: Sequence[dict[str, Any]]) -> None:
    """Prints a line for each size and batch."""
    table = Table(title="from the image to the prediction at its size", title_justify="left")
    for title in ("image", "batch", "GMACs per image", "ms per batch", "quartiles (ms)", "images/s", "peak memory"):
        table.add_column(title, justify="right")
    for row in rows:
        height, width = row["size"]
        lower, upper = row["quartiles"]
        table.add_row(
            f"{height} x {width}",
            str(row["batch_size"]),
            f"{row['multiply_adds'] / 1e9:.2f}",
            f"{row['seconds'] * 1e3:.1f}",
            f"{lower * 1e3:.1f} to {upper * 1e3:.1f}",
            f"{row['images_per_second']:.2f}",
            "unknown" if row["peak_mib"] is None else f"{row['peak_mib']:.0f} MiB",
        )
    console.print(table)
    console.print("peak memory: beyond the process with the model at rest")
