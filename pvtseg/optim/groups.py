"""Adam and AdamW with the groups that the recipes want: which parameters decay, a faster head, slower early layers."""

import re
from collections import defaultdict
from typing import Literal

from torch import Tensor, nn, optim

from pvtseg.errors import UserError

NOTHING_TO_TRAIN = "nothing is left to train: every parameter is frozen; lower backbone.frozen_stages."


def adamw(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float = 0.01,
    decay: Literal["no_norm_and_bias", "all_but_norms", "all"] = "no_norm_and_bias",
    betas: tuple[float, float] = (0.9, 0.999),
    head_lr_factor: float = 1.0,
    layer_decay: float = 1.0,
) -> optim.AdamW:
    """AdamW over the trainable parameters of a model that has `backbone` and `head`.

    decay: what `weight_decay` pulls to zero. "no_norm_and_bias" spares vectors and scalars, which are norms and biases (PVT v2 on
    ImageNet, timm); "all_but_norms" spares the backbone's norms only (SegFormer's code, whose rules look for "head" and then for
    "norm" in a name, so that biases and the heads' norms decay); "all" spares nothing (PVT v2's Semantic FPN).

    Parameters outside of the backbone learn `head_lr_factor` times as fast. With `layer_decay` below 1, the i-th of L blocks
    learns `layer_decay ** (L + 1 - i)` times as fast (BEiT, https://arxiv.org/abs/2106.08254, appendix); an embedding or norm
    between two blocks learns as fast as the block before it.
    """
    layers = _layer_of_each_parameter(model.backbone)
    last = max(layers.values()) + 1
    groups = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        room, _, rest = name.partition(".")
        factor = layer_decay ** (last - layers[rest]) if room == "backbone" else head_lr_factor
        groups[factor, _decays(decay, name, parameter)].append(parameter)
    if not groups:
        raise UserError(NOTHING_TO_TRAIN)
    return optim.AdamW(
        [
            {"params": parameters, "lr": lr * factor, "weight_decay": weight_decay if decays else 0.0}
            for (factor, decays), parameters in groups.items()
        ],
        lr=lr,
        betas=tuple(betas),
    )


def adam(model: nn.Module, *, lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> optim.Adam:
    """Adam over the trainable parameters, one rate for all and no decay (GLPN, https://arxiv.org/abs/2201.07436, section 4.1)."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise UserError(NOTHING_TO_TRAIN)
    return optim.Adam(parameters, lr=lr, betas=tuple(betas))


def _decays(rule: str, name: str, parameter: Tensor) -> bool:
    match rule:
        case "no_norm_and_bias":
            return parameter.ndim > 1
        case "all_but_norms":
            return not name.startswith("backbone.") or "norm" not in name
        case "all":
            return True
    raise UserError(f"optimizer.decay={rule!r} is not known; use no_norm_and_bias, all_but_norms or all.")


def _layer_of_each_parameter(backbone: nn.Module) -> dict[str, int]:
    """Parameter name -> the number of its block, counted from 1 through all stages, in the order of the forward pass."""
    layer, seen, layers = 0, None, {}
    for name, _ in backbone.named_parameters():
        block = re.match(r"stages\.\d+\.blocks\.\d+\.", name)
        if block and block.group() != seen:
            seen = block.group()
            layer += 1
        layers[name] = layer
    return layers
