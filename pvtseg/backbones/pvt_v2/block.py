"""One encoder block: attention, then a feed-forward network with a convolution in it (PVT v2, section 3.3)."""

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from pvtseg.backbones.pvt_v2.tokens import to_maps, to_tokens
from pvtseg.layers.row_chunks import in_row_bands


class ConvFeedForward(nn.Module):
    """Expand, look at the 3 x 3 neighborhood, contract; the convolution's zero padding tells positions apart.

    (B, H, W, C) -> (B, H, W, C). `activate` follows the expansion: nothing, or ReLU in the linear variant.
    """

    def __init__(self, channels: int, ratio: int, *, activate: nn.Module):
        super().__init__()
        hidden = channels * ratio
        self.expand = nn.Linear(channels, hidden)
        self.activate = activate
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.contract = nn.Linear(hidden, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.activate(self.expand(tokens))
        hidden = to_tokens(self.depthwise(to_maps(hidden)))
        return self.contract(F.gelu(hidden))


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with its residual and stochastic depth. (B, H, W, C) -> the same."""

    def __init__(self, channels: int, attention: nn.Module, mlp: ConvFeedForward, *, drop_path_rate: float, eps: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps)
        self.attention = attention
        self.norm2 = nn.LayerNorm(channels, eps)
        self.mlp = mlp
        self.drop_path = StochasticDepth(drop_path_rate, mode="row")

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.drop_path(self.attention(self.norm1(tokens)))
        return tokens + self.drop_path(self._feed_forward(tokens))

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        parameters = [*self.norm2.parameters(), *self.mlp.parameters()]
        bytes_per_token = self.mlp.expand.out_features * tokens.itemsize
        return in_row_bands(self._mlp_of_norm, tokens, parameters, halo=1, bytes_per_token=bytes_per_token)

    def _mlp_of_norm(self, tokens: Tensor) -> Tensor:
        return self.mlp(self.norm2(tokens))
