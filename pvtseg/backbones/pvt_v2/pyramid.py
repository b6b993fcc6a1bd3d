"""The pyramid of four stages (PVT v2, https://arxiv.org/abs/2106.13797; with MLP ratio 4 throughout it is SegFormer's MiT)."""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pvtseg.backbones.pvt_v2.attention import ConvReduction, NoReduction, PoolReduction, ReducedAttention
from pvtseg.backbones.pvt_v2.block import Block, ConvFeedForward
from pvtseg.backbones.pvt_v2.tokens import PatchEmbedding, to_maps
from pvtseg.errors import UserError
from pvtseg.interfaces import Features

PATCH_SIZES = (7, 3, 3, 3)
STRIDES = (4, 2, 2, 2)
REDUCTIONS = (8, 4, 2, 1)
NUM_HEADS = (1, 2, 5, 8)
SMALLEST = 32  # pixels: below it the first reduction, 8 x 8 tokens of a map at stride 4, has nothing left


class Stage(nn.Module):
    """An embedding, blocks and a norm. Maps (B, C', H', W') -> maps (B, C, H' / stride, W' / stride)."""

    def __init__(self, embed: nn.Module, blocks: Sequence[nn.Module], norm: nn.Module, *, gradient_checkpointing: bool):
        super().__init__()
        self.embed = embed
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm
        self._run = partial(checkpoint, use_reentrant=False) if gradient_checkpointing else _call

    def forward(self, maps: Tensor) -> Tensor:
        tokens = self.embed(maps)
        for block in self.blocks:
            tokens = self._run(block, tokens)
        return to_maps(self.norm(tokens))


def _call(block: nn.Module, tokens: Tensor) -> Tensor:
    return block(tokens)


class PyramidVisionTransformer(nn.Module):
    """PVT v2 and MiT: image (B, in_channels, H, W) -> four channels-last maps at strides 4, 8, 16 and 32.

    H and W are any from 32 up; maps have ceil(H / stride) rows. `linear` gives linear attention (keys from a 7 x 7 pooled
    grid in every stage). The first `frozen_stages` stages are not trained and do not drop paths. `gradient_checkpointing`
    recomputes each block in the backward pass to save memory. `embed_eps` is the epsilon of the norms that follow a
    convolution, `norm_eps` that of all others: the official code differs there from Hugging Face's.

    Raises UserError for an image below 32 pixels or with other channels, and for options out of their range.
    """

    strides = (4, 8, 16, 32)

    def __init__(
        self,
        channels: Sequence[int],
        depths: Sequence[int],
        mlp_ratios: Sequence[int],
        *,
        in_channels: int = 3,
        linear: bool = False,
        drop_path_rate: float = 0.0,
        frozen_stages: int = 0,
        gradient_checkpointing: bool = False,
        embed_eps: float = 1e-5,
        norm_eps: float = 1e-6,
    ):
        super().__init__()
        if in_channels < 1:
            raise UserError(f"in_channels is {in_channels}; an image has at least 1 channel.")
        if not 0 <= drop_path_rate < 1:
            raise UserError(f"drop_path_rate is {drop_path_rate}; use a probability from 0 up to, not including, 1.")
        if not 0 <= frozen_stages <= len(channels):
            raise UserError(
                f"frozen_stages is {frozen_stages}; the encoder has {len(channels)} stages, use 0 to {len(channels)}."
            )
        self.channels = tuple(channels)
        self.in_channels = in_channels
        self.linear = linear
        self.frozen_stages = frozen_stages

        def reduction(stage: int) -> nn.Module:
            if linear:
                return PoolReduction(channels[stage], eps=embed_eps)
            if REDUCTIONS[stage] > 1:
                return ConvReduction(channels[stage], REDUCTIONS[stage], eps=embed_eps)
            return NoReduction()

        def block(stage: int, drop_path_rate: float) -> Block:
            width = channels[stage]
            attention = ReducedAttention(width, NUM_HEADS[stage], reduction(stage))
            mlp = ConvFeedForward(width, mlp_ratios[stage], activate=nn.ReLU() if linear else nn.Identity())
            return Block(width, attention, mlp, drop_path_rate=drop_path_rate, eps=norm_eps)

        inputs = (in_channels, *channels)
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.stages = nn.ModuleList(
            Stage(
                PatchEmbedding(inputs[i], inputs[i + 1], patch_size=PATCH_SIZES[i], stride=STRIDES[i], eps=embed_eps),
                [block(i, next(rates)) for _ in range(depths[i])],
                nn.LayerNorm(channels[i], norm_eps),
                gradient_checkpointing=gradient_checkpointing,
            )
            for i in range(len(channels))
        )
        self.apply(_initialize)
        self.stages[:frozen_stages].requires_grad_(False)

    def forward(self, image: Tensor) -> Features:
        self._check(image)
        features = []
        maps = image
        for stage in self.stages:
            maps = stage(maps)
            features.append(maps)
        return features

    def train(self, mode: bool = True) -> "PyramidVisionTransformer":
        super().train(mode)
        self.stages[: self.frozen_stages].eval()
        return self

    def _check(self, image: Tensor) -> None:
        _, channels, height, width = image.shape
        if channels != self.in_channels:
            raise UserError(
                f"the image has {channels} channels, the encoder takes {self.in_channels}; "
                f"convert the image or build the encoder with in_channels={channels}."
            )
        if min(height, width) < SMALLEST:
            raise UserError(
                f"the image is {height} x {width}; the encoder needs at least {SMALLEST} x {SMALLEST}; enlarge or pad it."
            )


def _initialize(module: nn.Module) -> None:
    """The official initialization: linear layers N(0, 0.02^2), convolutions N(0, 2 / fan_out), biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        nn.init.zeros_(module.bias)
