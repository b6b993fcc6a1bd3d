"""The names of GLPN: the authors' (https://github.com/vinvino02/GLPDepth) and transformers'. Both count from the coarsest map."""

from pvtseg.checkpoints.convert import official, segformer
from pvtseg.checkpoints.convert.huggingface import KEY_VALUE
from pvtseg.checkpoints.convert.names import Format, under

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
HEAD = [
    ("head.project.{s}", "decoder.stages.{r}.convolution"),
    ("head.fuse.{s}.weigh.0", "decoder.stages.{r}.fusion.convolutional_layer1.0"),
    ("head.fuse.{s}.weigh.1", "decoder.stages.{r}.fusion.convolutional_layer1.1"),
    ("head.fuse.{s}.weigh.3", "decoder.stages.{r}.fusion.convolutional_layer2.0"),
    ("head.fuse.{s}.weigh.4", "decoder.stages.{r}.fusion.convolutional_layer2.1"),
    ("head.fuse.{s}.weigh.6", "decoder.stages.{r}.fusion.convolutional_layer3"),
    ("head.estimate.0", "head.head.0"),
    ("head.estimate.2", "head.head.2"),
]

OFFICIAL = Format(
    "official",
    "glpn",
    "depth",
    "an official GLPN",
    [*under("backbone.", "encoder.", official.BACKBONE), *OFFICIAL_HEAD],
)
DEPTH_ESTIMATOR = Format(
    "huggingface",
    "glpn",
    "depth",
    "transformers' GLPNForDepthEstimation",
    [*under("backbone.", "glpn.", segformer.BACKBONE), *HEAD],
    joins=(KEY_VALUE,),
)
