"""One encoder block: attention, then a feed-forward network with a convolution in it
(PVT v2, section 3.3).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from pvtseg.backbones.pvt_v2.activations import Activation
from pvtseg.layers.row_chunks import in_row_chunks
from pvtseg.layers.tokens import to_maps, to_tokens


class ConvFeedForward(nn.Module):
    """Expand, convolve each 3 x 3 neighborhood, activate, contract; the zero padding of
    the convolution encodes position.

    (B, H, W, C) -> (B, H, W, C). after_expand: a module applied to the expanded tokens:
    nothing, or ReLU in the linear variant.
    """

    def __init__(self, channels: int, ratio: int, *, after_expand: nn.Module, activation: Activation = F.gelu):
        super().__init__()
        self.hidden = channels * ratio
        self.expand = nn.Linear(channels, self.hidden)
        self.after_expand = after_expand
        self.depthwise = nn.Conv2d(self.hidden, self.hidden, 3, padding=1, groups=self.hidden)
        self.activation = activation
        self.contract = nn.Linear(self.hidden, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.after_expand(self.expand(tokens))
        hidden = to_tokens(self.depthwise(to_maps(hidden)))
        return self.contract(self.activation(hidden))


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with its residual and stochastic depth.
    (B, H, W, C) -> the same.
    """

    def __init__(self, channels: int, attention: nn.Module, mlp: ConvFeedForward, *, drop_path_rate: float, eps: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps)
        self.attention = attention
        self.norm2 = nn.LayerNorm(channels, eps)
        self.mlp = mlp
        self.drop_path = StochasticDepth(drop_path_rate, mode="row")

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.drop_path(self.attention(self.norm1(tokens)))
        return tokens + self.drop_path(in_row_chunks([self.norm2, self.mlp], tokens, halo=1, widest=self.mlp.hidden))
