"""The encoder: an image in, four maps out, against transformers and timm; and against
the bare matrix product.

    uv run --group benchmarks python benchmarks/encoder.py

"matrix product" is the time that all multiply-adds of the encoder would take at the
speed of one large product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import contest
import peers
import torch
from contest import Contest, Setting
from reporting import OURS
from torch import Tensor

from pvtseg.model import count_multiply_adds

SIDE = 4096  # of the matrices
Maps = Sequence[Tensor]


def ours(name: str, setting: Setting) -> Callable[[Tensor], Maps]:
    return _inferring(setting.compile(setting.place(peers.with_one_epsilon(peers.encoder(name)))))


def transformers(name: str, setting: Setting) -> Callable[[Tensor], Maps]:
    model = setting.compile(setting.place(peers.in_transformers("encoder", name, "PvtV2Model")))
    return _inferring(lambda image: model(image, output_hidden_states=True).hidden_states)


def timm(name: str, setting: Setting) -> Callable[[Tensor], Maps]:
    model = setting.place(peers.in_timm(name))
    return _inferring(setting.compile(partial(model.forward_intermediates, intermediates_only=True)))


def matrix_product(setting: Setting) -> Callable[[Tensor], None]:
    left, right = (setting.place(torch.randn(SIDE, SIDE)) for _ in range(2))
    return _inferring(lambda _: (left @ right)[:0])


def multiply_adds(name: str, batch: int, side: int) -> int:
    """Of all four maps."""
    return batch * count_multiply_adds(peers.encoder(name), (side, side))


def images(batch: int, side: int, setting: Setting) -> tuple[Tensor]:
    torch.manual_seed(1)
    return (setting.place(torch.randn(batch, 3, side, side)),)


def agree(our_maps: Maps, their_maps: Maps) -> str:
    if not len(their_maps):
        return "not compared"
    return contest.largest_difference(our_maps, their_maps, bound=contest.rounding(our_maps[0].dtype))


def of_encoder(name: str, batch: int, side: int, *, peak: bool = False, **goals: float) -> Contest:
    contestants = {OURS: ours, "transformers": transformers, "timm": timm}
    contestants = {who: partial(build, name) for who, build in contestants.items()}
    scale = {}
    if peak:
        contestants["matrix product"] = matrix_product
        scale = {"matrix product": multiply_adds(name, batch, side) / SIDE**3}
        goals["matrix product"] = round(1 / 1.6, 3)
    return Contest(
        title=f"{name}, {batch} x {side} x {side}",
        contestants=contestants,
        inputs=partial(images, batch, side),
        small=partial(images, 1, 64),
        agree=agree,
        goals=goals,
        scale=scale,
        units=batch,
    )


def _inferring(work: Callable[[Tensor], Maps]) -> Callable[[Tensor], Maps]:
    return torch.inference_mode()(work)


CONTESTS = [
    of_encoder("pvt_v2_b0", 1, 512, transformers=2.4, timm=2.2),
    of_encoder("pvt_v2_b2", 1, 512, transformers=1.9, timm=1.8),
    of_encoder("pvt_v2_b2", 8, 224, transformers=1.15, timm=1.15, peak=True),
]

if __name__ == "__main__":
    contest.hold("encoder", CONTESTS, __doc__)
