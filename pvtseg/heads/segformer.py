"""The all-MLP decoder of SegFormer (https://arxiv.org/abs/2105.15203, section 3.2)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from pvtseg.interfaces import Features
from pvtseg.layers.resize import resize


class FusedProjection(nn.Module):
    """A map's projection to the common width and its share of the fusing 1 x 1 convolution, as one product.

    The paper upsamples, concatenates and then fuses. A 1 x 1 convolution commutes with bilinear upsampling, so each map can
    be fused at its own resolution and added up afterwards: the same function for 5 to 12 times less work. Two linear maps in
    a row are one: their weights, which are small, are multiplied before they meet the tokens, which are many.
    Maps (B, in_channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.project = nn.Linear(in_channels, channels)
        self.fuse = nn.Linear(channels, channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        weight = self.fuse.weight @ self.project.weight
        bias = self.fuse.weight @ self.project.bias
        return F.linear(maps.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2)


class SegFormerHead(nn.Module):
    """Brings every map to one width and one size, fuses them, names each pixel.

    Features -> logits (B, num_classes, H / 4, W / 4). The paper uses 256 channels for B0 and B1, 768 for B2 to B5.
    """

    def __init__(self, in_channels: Sequence[int], num_classes: int, *, channels: int = 256, dropout: float = 0.1):
        super().__init__()
        self.branches = nn.ModuleList(FusedProjection(width, channels) for width in in_channels)
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Features) -> Tensor:
        size = features[0].shape[-2:]
        fused = sum(resize(branch(maps), size) for branch, maps in zip(self.branches, features, strict=True))
        fused = F.relu(self.norm(fused))
        return self.classify(self.dropout(fused))
