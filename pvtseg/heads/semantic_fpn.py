"""Semantic FPN (https://arxiv.org/abs/1901.02446, section 3).

It is the head of PVT v2's own ADE20K table (https://arxiv.org/abs/2106.13797, section
4.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.interfaces import Features, Size
from pvtseg.layers.resize import resize


class FeaturePyramid(nn.Module):
    """A feature pyramid: all maps at one width, each coarser one added to the next
    finer one.

    Features -> as many maps (B, channels, H, W) of the same sizes
    (https://arxiv.org/abs/1612.03144, section 3).
    """

    def __init__(self, in_channels: Sequence[int], channels: int):
        super().__init__()
        self.project = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in in_channels)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)
        self.apply(_initialize)

    def forward(self, features: Features) -> Features:
        *finer, coarsest = (project(maps) for project, maps in zip(self.project, features, strict=True))
        pyramid = [coarsest]
        for maps in reversed(finer):
            pyramid.append(maps + F.interpolate(pyramid[-1], size=maps.shape[-2:], mode="nearest"))
        return [smooth(maps) for smooth, maps in zip(self.smooth, reversed(pyramid), strict=True)]


class UpsamplingPath(nn.Sequential):
    """Convolutions, each followed by an upsampling to twice the size, for one map of
    the pyramid.

    Maps (B, in_channels, H, W) -> (B, channels, H * 2 ** num_doublings, W * 2 **
    num_doublings). Without a doubling there is one convolution at the map's own size.
    """

    def __init__(self, in_channels: int, channels: int, num_doublings: int):
        widths = [in_channels, *[channels] * max(num_doublings - 1, 0)]
        double = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False) if num_doublings else nn.Identity()
        super().__init__(*(nn.Sequential(_convolution(width, channels), double) for width in widths))


class SemanticFPNHead(nn.Module):
    """A feature pyramid whose maps are upsampled to the finest's size and added; then
    each pixel is classified.

    Features -> logits (B, num_classes, H / 4, W / 4). pyramid_channels: of the
    pyramid's maps. channels: of the upsampling paths.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        pyramid_channels: int = 256,
        channels: int = 128,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.pyramid = FeaturePyramid(in_channels, pyramid_channels)
        self.paths = nn.ModuleList(
            UpsamplingPath(pyramid_channels, channels, level) for level in range(len(in_channels))
        )
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, num_classes, 1)
        for name, parameter in self.classify.named_parameters():
            nn.init.normal_(parameter, std=0.01) if name == "weight" else nn.init.zeros_(parameter)

    def forward(self, features: Features, image_size: list[Size] | None = None) -> Tensor:  # noqa: ARG002
        size = features[0].shape[-2:]
        fused = sum(resize(path(maps), size) for path, maps in zip(self.paths, self.pyramid(features), strict=True))
        return self.classify(self.dropout(fused))


def _convolution(in_channels: int, channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
