"""Whole models: from the image to labels or meters at its own size, against
transformers and segmentation_models.pytorch.

    uv run --group benchmarks python benchmarks/models.py

Upsampling and argmax are part of it. We upsample only where neighboring coarse pixels
disagree, so the time depends on what is seen: "noise" gives another class nearly
everywhere, "room" is a rendered room. Weights are random, so even there the
segmentation map has far more borders than a trained model's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import contest
import peers
import torch
from contest import Contest, Setting
from reporting import OURS
from torch import Tensor
from torch.nn import functional as F

from pvtseg.data.scenes.dataset import Scenes
from pvtseg.layers.upsampled_argmax import upsampled_argmax

Work = Callable[[Tensor], Tensor]


def our_labels(size: str, setting: Setting) -> Work:
    model = setting.compile(setting.place(peers.with_one_epsilon(peers.segformer(size))))
    return torch.inference_mode()(lambda image: upsampled_argmax(model(image), image.shape[-2:]))


def transformers_labels(size: str, setting: Setting) -> Work:
    """With the upsampling and argmax of its `post_process_semantic_segmentation`."""
    model = setting.compile(setting.place(peers.in_transformers("segformer", size, "SegformerForSemanticSegmentation")))

    def work(image: Tensor) -> Tensor:
        logits = model(image).logits
        return F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False).argmax(dim=1)

    return torch.inference_mode()(work)


def smp_labels(size: str, setting: Setting) -> Work:
    model = setting.compile(setting.place(peers.in_smp(size)))
    return torch.inference_mode()(lambda image: model(image).argmax(dim=1))


def our_depth(size: str, setting: Setting) -> Work:
    model = setting.compile(setting.place(peers.with_one_epsilon(peers.glpn(size))))
    return torch.inference_mode()(lambda image: model(image)[:, 0])


def transformers_depth(size: str, setting: Setting) -> Work:
    model = setting.compile(setting.place(peers.in_transformers("glpn", size, "GLPNForDepthEstimation")))
    return torch.inference_mode()(lambda image: model(image).predicted_depth)


def noise(size: tuple[int, int], setting: Setting) -> tuple[Tensor]:
    torch.manual_seed(1)
    return (setting.place(torch.randn(1, 3, *size)),)


def room(size: tuple[int, int], setting: Setting) -> tuple[Tensor]:
    """With about the mean and deviation that the models want."""
    pixels = torch.from_numpy(Scenes("val", target="depth", length=1, size=size)[0]["image"])
    return (setting.place((pixels.permute(2, 0, 1)[None] / 255 - 0.45) / 0.225),)


def same_depth(ours: Tensor, theirs: Tensor) -> str:
    return contest.largest_difference([ours], [theirs], bound=contest.rounding(ours.dtype))


def of_segformer(size: str, image: Callable[..., tuple[Tensor]], goal: float) -> Contest:
    labels = {OURS: our_labels, "transformers": transformers_labels, "segmentation_models_pytorch": smp_labels}
    return Contest(
        title=f"SegFormer {size}, 1 x 512 x 512, {image.__name__}",
        contestants={who: partial(build, size) for who, build in labels.items()},
        inputs=partial(image, (512, 512)),
        small=partial(noise, (64, 64)),
        agree=partial(contest.same_labels, fraction=0.999),
        goals=dict.fromkeys(list(labels)[1:], goal),
    )


def of_glpn(size: str, goal: float) -> Contest:
    return Contest(
        title=f"GLPN {size}, 1 x 480 x 640",
        contestants={OURS: partial(our_depth, size), "transformers": partial(transformers_depth, size)},
        inputs=partial(room, (480, 640)),
        small=partial(noise, (64, 64)),
        agree=same_depth,
        goals={"transformers": goal},
    )


CONTESTS = [
    *(of_segformer("b0", image, 4.0) for image in (room, noise)),
    *(of_segformer("b2", image, 3.3) for image in (room, noise)),
    of_glpn("b0", 1.8),
    of_glpn("b4", 1.6),
]

if __name__ == "__main__":
    contest.hold("models", CONTESTS, __doc__)
