"""The decoder of Global-Local Path Networks (https://arxiv.org/abs/2201.07436, sections 3.2 and 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pvtseg.interfaces import Features, Size
from pvtseg.layers.resize import resize
from pvtseg.layers.row_chunks import in_row_bands


class SelectiveFeatureFusion(nn.Module):
    """Weighs the local (skip) and the global (decoded) map against each other at every pixel and adds them.

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
    """From the coarsest map to the image's size, meeting the encoder's maps on the way, to depth.

    Features -> depth in meters (B, 1, H, W), between 0 and max_depth; H and W are 4 times the finest map's. A map that
    already has the decoder's width enters as it is, others through a 1 x 1 convolution; the paper's encoder is MiT-B4,
    whose finest map does. Maps are brought to the size of the one they meet, so no image size is refused.
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
        tokens = self.upsample(decoded).permute(0, 2, 3, 1)
        bytes_per_token = 4 * tokens.shape[-1] * tokens.itemsize  # one at half the image's size is four at its own
        parameters = list(self.estimate.parameters())
        depth = in_row_bands(self._to_depth, tokens, parameters, halo=2, bytes_per_token=bytes_per_token, scale=2)
        return depth.permute(0, 3, 1, 2)

    def _to_depth(self, tokens: Tensor) -> Tensor:
        """Tokens at half the image's size (B, H / 2, W / 2, channels) -> depth (B, H, W, 1)."""
        depth = self.estimate(self.upsample(tokens.permute(0, 3, 1, 2)))
        # float32: in half precision the sigmoid of -18 is zero, and the loss takes its logarithm
        return torch.sigmoid(depth.permute(0, 2, 3, 1).float()) * self.max_depth
