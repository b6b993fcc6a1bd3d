"""GLPN: the authors' (https://github.com/vinvino02/GLPDepth) and transformers'. Both
count from the coarsest map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from pvtseg.checkpoints import images, settings
from pvtseg.checkpoints.architecture import Architecture, HeadKind
from pvtseg.checkpoints.families import segformer
from pvtseg.checkpoints.families.family import OFFICIAL_EPS, Facts, Family, Node, Settings
from pvtseg.checkpoints.families.pvt_v2 import KEY_VALUE, OFFICIAL_BACKBONE
from pvtseg.checkpoints.names import Format, under
from pvtseg.checkpoints.settings import Transformers

OFFICIAL_HEAD = [
    ("head.project.3", "decoder.bot_conv"),
    ("head.project.2", "decoder.skip_conv1"),
    ("head.project.1", "decoder.skip_conv2"),
    ("head.fuse.{s}.weigh.0", "decoder.fusion{r}.conv1.0"),
    ("head.fuse.{s}.weigh.1", "decoder.fusion{r}.conv1.1"),
    ("head.fuse.{s}.weigh.3", "decoder.fusion{r}.conv2.0"),
    ("head.fuse.{s}.weigh.4", "decoder.fusion{r}.conv2.1"),
    ("head.fuse.{s}.weigh.6", "decoder.fusion{r}.conv3"),
    ("head.estimate.0", "last_layer_depth.0"),
    ("head.estimate.2", "last_layer_depth.2"),
]
DECODER = [
    ("head.project.{s}", "decoder.stages.{r}.convolution"),
    ("head.fuse.{s}.weigh.0", "decoder.stages.{r}.fusion.convolutional_layer1.0"),
    ("head.fuse.{s}.weigh.1", "decoder.stages.{r}.fusion.convolutional_layer1.1"),
    ("head.fuse.{s}.weigh.3", "decoder.stages.{r}.fusion.convolutional_layer2.0"),
    ("head.fuse.{s}.weigh.4", "decoder.stages.{r}.fusion.convolutional_layer2.1"),
    ("head.fuse.{s}.weigh.6", "decoder.stages.{r}.fusion.convolutional_layer3"),
    ("head.estimate.0", "head.head.0"),
    ("head.estimate.2", "head.head.2"),
]


def _sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"channels": len(state["head.estimate.0.weight"])}


HEAD = HeadKind("depth", "pvtseg.heads.glpn.GLPNHead", "head.estimate.0.weight", _sizes)

OFFICIAL = Format(
    "official",
    "an official GLPN",
    (HEAD,),
    [*under("backbone.", "encoder.", OFFICIAL_BACKBONE), *OFFICIAL_HEAD],
)
ESTIMATOR = Format(
    "huggingface",
    "transformers' GLPNForDepthEstimation",
    (HEAD,),
    [*under("backbone.", "glpn.", segformer.BACKBONE), *DECODER],
    joins=(KEY_VALUE,),
    linear=False,
    architecture="GLPNForDepthEstimation",
)
FORMATS = (OFFICIAL, ESTIMATOR)

TRANSFORMERS = Transformers(
    "glpn",
    eps=(1e-5, 1e-5),  # its layer_norm_eps is ignored
    fixed={"head_in_index": -1},
    processor={
        "image_processor_type": "GLPNImageProcessor",
        "do_normalize": False,
        "size_divisor": 32,
        "resample": 2,
    },
)


def read(architecture: Architecture, layout: str, beside: Settings) -> Facts:
    """The facts of a GLPN. Its authors take the image unchanged in 0..1; its processor
    resizes depth bicubically.
    """
    if layout == "huggingface":
        return replace(settings.read(TRANSFORMERS, architecture, beside), interpolation="bicubic")
    return Facts(OFFICIAL_EPS, {"eval_transform": images.original(), "normalize": images.no_normalize()})


def write(architecture: Architecture, layout: str, config: Node) -> Settings:
    """The settings of a GLPN of ours; an official file has none."""
    if layout == "huggingface":
        return settings.write(TRANSFORMERS, FORMATS, architecture, config)
    return Settings({}, {}, {})


FAMILY = Family("glpn", FORMATS, HEAD, {"official": OFFICIAL_EPS, "huggingface": TRANSFORMERS.eps}, read, write)
