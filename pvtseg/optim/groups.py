"""AdamW with the groups that transformers want: no decay on norms and biases, a faster head, slower early layers."""

import re
from collections import defaultdict

from torch import nn, optim

from pvtseg.interfaces import UserError


def adamw(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
    head_lr_factor: float = 1.0,
    layer_decay: float = 1.0,
) -> optim.AdamW:
    """AdamW over the trainable parameters of a model that has `backbone` and `head`.

    Vectors and scalars (norms, biases) are not decayed. Parameters of the head learn `head_lr_factor` times as fast. With
    `layer_decay` below 1, the i-th of L blocks learns `layer_decay ** (L + 1 - i)` times as fast (BEiT,
    https://arxiv.org/abs/2106.08254, appendix); an embedding or norm between two blocks learns as fast as the block before it.
    """
    layers = _layer_of_each_parameter(model.backbone)
    last = max(layers.values()) + 1
    groups = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        room, _, rest = name.partition(".")
        factor = head_lr_factor if room == "head" else layer_decay ** (last - layers[rest])
        groups[factor, parameter.ndim > 1].append(parameter)
    if not groups:
        raise UserError("nothing is left to train: every parameter is frozen; lower backbone.frozen_stages.")
    return optim.AdamW(
        [
            {"params": parameters, "lr": lr * factor, "weight_decay": weight_decay if decays else 0.0}
            for (factor, decays), parameters in groups.items()
        ],
        lr=lr,
        betas=tuple(betas),
    )


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
