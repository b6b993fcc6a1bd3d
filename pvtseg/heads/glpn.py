"""The decoder of Global-Local Path Networks (https://arxiv.org/abs/2201.07436, sections
3.2 and 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pvtseg.interfaces import Features, Size
from pvtseg.layers.precision import accurate_type
from pvtseg.layers.resize import resize
from pvtseg.layers.row_chunks import in_row_chunks
from pvtseg.layers.tokens import to_maps, to_tokens


class SelectiveFeatureFusion(nn.Module):
    """The sum of the local (skip) and the global (decoded) map, each times a weight per
    pixel that depends on both.

    Two maps (B, channels, H, W) -> one of the same shape.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels // 2, 3, padding=1),
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(),
            nn.Conv2d(channels // 2, 2, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, local_maps: Tensor, global_maps: Tensor) -> Tensor:
        local_weight, global_weight = self.weigh(torch.cat([local_maps, global_maps], dim=1)).split(1, dim=1)
        return local_maps * local_weight + global_maps * global_weight


class GLPNHead(nn.Module):
    """Upsamples the coarsest map step by step, fuses it with each finer map, and
    estimates depth at the image's size.

    Features -> depth in meters (B, 1, H, W), between 0 and max_depth; H and W are 4
    times the finest map's. A map that already has `channels` channels enters unchanged,
    others through a 1 x 1 convolution. In the paper, whose encoder is MiT-B4, the
    finest map enters unchanged. Maps are resized to the map that they are fused with,
    so every image size works.
    """

    def __init__(self, in_channels: Sequence[int], *, max_depth: float, channels: int = 64):
        super().__init__()
        self.max_depth = max_depth
        self.project = nn.ModuleList(
            nn.Identity() if width == channels else nn.Conv2d(width, channels, 1) for width in in_channels
        )
        self.fuse = nn.ModuleList(SelectiveFeatureFusion(channels) for _ in in_channels[1:])
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.estimate = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 1, 3, padding=1)
        )

    def forward(self, features: Features, image_size: list[Size] | None = None) -> Tensor:  # noqa: ARG002
        *finer, decoded = (project(maps) for project, maps in zip(self.project, features, strict=True))
        for skip, fuse in zip(reversed(finer), reversed(self.fuse), strict=True):
            decoded = fuse(skip, resize(decoded, skip.shape[-2:]))
        steps = [to_maps, self.upsample, self.estimate, self._in_meters, to_tokens]
        half = to_tokens(self.upsample(decoded))  # at half the image's size
        widest = 4 * half.shape[-1]  # a token at half the size is four at the image's own
        return to_maps(in_row_chunks(steps, half, halo=2, widest=widest, scale=2))

    def _in_meters(self, logits: Tensor) -> Tensor:
        # float32, because in half precision the sigmoid of -18 is zero, and the loss
        # takes its logarithm
        return torch.sigmoid(logits.to(accurate_type(logits))) * self.max_depth
