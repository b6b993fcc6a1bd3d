"""How the time grows with the image and with the batch, against transformers and timm.

    uv run --group benchmarks python benchmarks/scaling.py

b2_linear from 256 to 2048 pixels a side: its attention is linear, so the time of a
pixel should stay the same. b2 with 1 to 16 images of 224 x 224. The first two contests
are our own sizes against each other, in turn, so that a machine whose speed drifts from
minute to minute does not look like growth; the others are some sizes against the peers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import contest
from contest import Contest, Setting
from encoder import Maps, images, of_encoder, ours
from reporting import OURS

SIDES = (256, 512, 1024, 2048)
BATCHES = (1, 2, 4, 8, 16)
PEERS_SIDES, PEERS_BATCHES = (256, 1024), (1, 16)  # encoder.py has those in between
Size = tuple[int, int]  # images, and the side of each


def own_sizes(name: str, what: str, unit: Size, others: Sequence[Size]) -> Contest:
    """One encoder at several sizes. Times are of as many pixels as `unit` has."""

    def of_size(size: Size, setting: Setting) -> Callable[[], Maps]:
        return partial(ours(name, setting), *images(*size, setting))

    sizes = {OURS: unit, **{f"{batch} x {side} x {side}": (batch, side) for batch, side in others}}
    return Contest(
        title=f"{name}, the time of {what} beside {unit[0]} x {unit[1]} x {unit[1]}",
        contestants={size: partial(of_size, sizes[size]) for size in sizes},
        inputs=lambda _: (),
        small=lambda _: (),
        agree=lambda *_: "not compared",
        scale={size: pixels(unit) / pixels(sizes[size]) for size in sizes},
        units=pixels(unit),
    )


def pixels(size: Size) -> int:
    batch, side = size
    return batch * side * side


def by_pixel(side: int) -> Contest:
    return replace(of_encoder("pvt_v2_b2_linear", 1, side), units=side * side)


CONTESTS = [
    own_sizes("pvt_v2_b2_linear", "a pixel", (1, 512), [(1, side) for side in SIDES if side != 512]),
    own_sizes("pvt_v2_b2", "an image", (1, 224), [(batch, 224) for batch in BATCHES if batch != 1]),
    *map(by_pixel, PEERS_SIDES),
    *(of_encoder("pvt_v2_b2", batch, 224) for batch in PEERS_BATCHES),
]

if __name__ == "__main__":
    contest.hold("scaling", CONTESTS, __doc__)
