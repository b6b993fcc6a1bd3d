"""The pyramid of four stages (PVT v2, https://arxiv.org/abs/2106.13797).

With MLP ratio 4 in every stage it is SegFormer's MiT
(https://arxiv.org/abs/2105.15203).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pvtseg.backbones.pvt_v2.activations import activation_of
from pvtseg.backbones.pvt_v2.attention import ConvReduction, NoReduction, PoolReduction, ReducedAttention
from pvtseg.backbones.pvt_v2.block import Block, ConvFeedForward
from pvtseg.backbones.pvt_v2.tokens import PatchEmbedding
from pvtseg.errors import UserError
from pvtseg.interfaces import Features
from pvtseg.layers.tokens import to_maps

PATCH_SIZES = (7, 3, 3, 3)
STRIDES = (4, 8, 16, 32)  # of each stage's map
NUM_HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)


class Stage(nn.Module):
    """An embedding, blocks and a norm. Maps (B, C', H', W') -> maps (B, C, H' / stride,
    W' / stride).
    """

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
    """PVT v2 and MiT: image (B, in_channels, H, W) -> channels-last maps at strides 4,
    8, 16 and 32, finest first.

    H and W are any from `smallest` up; a map has ceil(H / stride) rows.

    num_heads, reductions: of each stage's attention; a reduction merges n x n tokens
    into one key. linear: linear attention, whose keys come from a 7 x 7 pooled grid in
    every stage. qkv_bias: biases for query, key and value. activation: of the
    feed-forward networks, by transformers' name. embed_eps: the epsilon of the norms
    that follow a convolution. norm_eps: that of all other norms; the official code
    differs there from Hugging Face's.

    out_indices: which of the four maps to return, counted from 0; `channels` and
    `strides` describe those. Stages behind the last of them are kept for their weights,
    but neither computed nor trained.

    frozen_stages: the first so many stages are not trained and do not drop paths.
    gradient_checkpointing: recomputes each block in the backward pass to save memory.

    Raises UserError for an image that is too small or has other channels, and for
    options out of their range.
    """

    def __init__(
        self,
        channels: Sequence[int],
        depths: Sequence[int],
        mlp_ratios: Sequence[int],
        *,
        in_channels: int = 3,
        num_heads: Sequence[int] = NUM_HEADS,
        reductions: Sequence[int] = REDUCTIONS,
        linear: bool = False,
        qkv_bias: bool = True,
        activation: str = "gelu",
        out_indices: Sequence[int] = (0, 1, 2, 3),
        drop_path_rate: float = 0.0,
        frozen_stages: int = 0,
        gradient_checkpointing: bool = False,
        embed_eps: float = 1e-5,
        norm_eps: float = 1e-6,
    ):
        super().__init__()
        _check_stages(
            channels=channels, depths=depths, mlp_ratios=mlp_ratios, num_heads=num_heads, reductions=reductions
        )
        _check_heads(channels, num_heads)
        _check_out_indices(out_indices)
        if in_channels < 1:
            raise UserError(f"backbone.in_channels={in_channels} is no image; use at least 1.")
        if not 0 <= drop_path_rate < 1:
            raise UserError(
                f"backbone.drop_path_rate={drop_path_rate} is not a probability below 1; use 0 up to, not including, 1."
            )
        if not 0 <= frozen_stages <= len(STRIDES):
            raise UserError(f"backbone.frozen_stages={frozen_stages}, and the backbone has 4 stages; use 0 to 4.")
        if linear and tuple(reductions) != REDUCTIONS:
            raise UserError(
                f"backbone.reductions={list(reductions)} has no effect on linear attention; "
                "leave it out or use linear=false."
            )
        self.in_channels = in_channels
        self.channels = tuple(channels[i] for i in out_indices)
        self.strides = tuple(STRIDES[i] for i in out_indices)
        self.out_indices = tuple(out_indices)
        self.num_run = out_indices[-1] + 1  # stages that the outputs need
        self.linear = linear
        self.frozen_stages = frozen_stages
        # a reduction needs as many rows as it merges, in a map of ceil(H / stride) rows
        merged = (1,) if linear else reductions[: self.num_run]
        self.smallest = max(stride * (ratio - 1) + 1 for stride, ratio in zip(STRIDES, merged, strict=False))

        def reduction(stage: int) -> nn.Module:
            if linear:
                return PoolReduction(channels[stage], eps=embed_eps)
            if reductions[stage] > 1:
                return ConvReduction(channels[stage], reductions[stage], eps=embed_eps)
            return NoReduction()

        def block(stage: int, drop_path_rate: float) -> Block:
            width = channels[stage]
            attention = ReducedAttention(width, num_heads[stage], reduction(stage), qkv_bias=qkv_bias)
            after_expand = nn.ReLU() if linear else nn.Identity()
            mlp = ConvFeedForward(
                width, mlp_ratios[stage], after_expand=after_expand, activation=activation_of(activation)
            )
            return Block(width, attention, mlp, drop_path_rate=drop_path_rate, eps=norm_eps)

        def embedding(stage: int) -> PatchEmbedding:
            widths, strides = (in_channels, *channels), (1, *STRIDES)
            stride = strides[stage + 1] // strides[stage]
            return PatchEmbedding(
                widths[stage], widths[stage + 1], patch_size=PATCH_SIZES[stage], stride=stride, eps=embed_eps
            )

        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.stages = nn.ModuleList(
            Stage(
                embedding(i),
                [block(i, next(rates)) for _ in range(depths[i])],
                nn.LayerNorm(channels[i], norm_eps),
                gradient_checkpointing=gradient_checkpointing,
            )
            for i in range(len(STRIDES))
        )
        self.apply(_initialize)
        self.stages[:frozen_stages].requires_grad_(False)
        self.stages[self.num_run :].requires_grad_(False)

    def forward(self, image: Tensor) -> Features:
        self._check(image)
        features = []
        maps = image
        for i in range(self.num_run):
            maps = self.stages[i](maps)
            features.append(maps)
        return [features[i] for i in self.out_indices]

    def train(self, mode: bool = True) -> PyramidVisionTransformer:
        super().train(mode)
        self.stages[: self.frozen_stages].eval()
        return self

    def layer_ids(self) -> dict[str, int]:
        """The layer of each parameter, by its name, for layer-wise learning-rate decay.

        Blocks are counted from 1 through all stages, in the order of the forward pass.
        An embedding or a norm between two blocks belongs to the block before it; the
        first embedding is layer 0.
        """
        layers, layer = {}, 0
        stage: Any  # a Stage
        for i, stage in enumerate(self.stages):
            prefix = f"stages.{i}."
            layers |= {f"{prefix}embed.{name}": layer for name, _ in stage.embed.named_parameters()}
            for j, block in enumerate(stage.blocks):
                layer += 1
                layers |= {f"{prefix}blocks.{j}.{name}": layer for name, _ in block.named_parameters()}
            layers |= {f"{prefix}norm.{name}": layer for name, _ in stage.norm.named_parameters()}
        return layers

    def _check(self, image: Tensor) -> None:
        _, channels, height, width = image.shape
        if channels != self.in_channels:
            raise UserError(
                f"the image has {channels} channels, the backbone takes {self.in_channels}; "
                f"convert the image, or use backbone.in_channels={channels}."
            )
        if min(height, width) < self.smallest:
            raise UserError(
                f"the image is {height} x {width}, and the backbone needs at least {self.smallest} x {self.smallest}; "
                "enlarge or pad it."
            )


def _check_stages(**options: Sequence[int]) -> None:
    """Raises UserError for an option that is not one positive number for each of the
    four stages.
    """
    for name, values in options.items():
        if len(values) != len(STRIDES) or min(values) < 1:
            raise UserError(f"backbone.{name}={list(values)} does not describe 4 stages; give 4 positive numbers.")


def _check_heads(channels: Sequence[int], num_heads: Sequence[int]) -> None:
    for width, heads in zip(channels, num_heads, strict=True):
        if width % heads:
            raise UserError(
                f"backbone.num_heads={list(num_heads)} does not divide backbone.channels={list(channels)}; "
                f"use a divisor of {width} in place of {heads}."
            )


def _check_out_indices(indices: Sequence[int]) -> None:
    if not indices or list(indices) != sorted(set(indices) & set(range(len(STRIDES)))):
        raise UserError(
            f"backbone.out_indices={list(indices)} does not name maps, finest first; use numbers from 0 to 3 that rise."
        )


def _initialize(module: nn.Module) -> None:
    """The official initialization: linear layers N(0, 0.02^2), convolutions N(0, 2 /
    fan_out), biases 0.
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
        nn.init.zeros_(module.bias)
