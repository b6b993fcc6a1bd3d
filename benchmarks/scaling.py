"""How the time grows with the image and with the batch, against transformers and timm.

    uv run --group benchmarks python benchmarks/scaling.py

b2_linear from 256 to 2048 pixels a side: its attention is linear, so the time of a pixel should stay the same. b2 with 1 to 16
images of 224 x 224. Ends with the largest time of a pixel, and of an image, by the smallest.
"""

from __future__ import annotations

from dataclasses import replace

import contest
from contest import Contest
from encoder import of_encoder
from reporting import Row, console

SIDES = (256, 512, 1024, 2048)
BATCHES = (1, 2, 4, 8, 16)


def by_pixel(side: int) -> Contest:
    return replace(of_encoder("pvt_v2_b2_linear", 1, side), units=side * side)


CONTESTS = [*map(by_pixel, SIDES), *(of_encoder("pvt_v2_b2", batch, 224) for batch in BATCHES)]


def growth(rows: list[Row], start: str) -> None:
    """Of each contestant, over all sizes or all batches."""
    for name in dict.fromkeys(row["contestant"] for row in rows):
        rates = [row["units_per_second"] for row in rows if row["contestant"] == name and row["work"].startswith(start)]
        if len(rates) > 1:
            console.print(f"{start} {name}: the slowest {max(rates) / min(rates):.2f} times the fastest")


if __name__ == "__main__":
    found = contest.hold("scaling", CONTESTS, __doc__)
    growth(found, "pvt_v2_b2_linear,")
    growth(found, "pvt_v2_b2,")
