"""Adam and AdamW with the parameter groups of the recipes: weight decay, a faster head,
slower early layers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn, optim

from pvtseg.errors import UserError

if TYPE_CHECKING:
    from pvtseg.model import Model

NOTHING_TO_TRAIN = "nothing is left to train: every parameter is frozen; lower backbone.frozen_stages."


def adamw(
    model: Model,
    *,
    lr: float,
    weight_decay: float = 0.01,
    decay: Literal["no_norm_and_bias", "all_but_norms", "all"] = "no_norm_and_bias",
    betas: tuple[float, float] = (0.9, 0.999),
    head_lr_factor: float = 1.0,
    layer_decay: float = 1.0,
) -> optim.AdamW:
    """AdamW over the trainable parameters of a model that has `backbone` and `head`.

    decay: which parameters decay.
    "no_norm_and_bias": no weight decay on vectors and scalars, which are norms and
    biases (PVT v2 on ImageNet, timm).
    "all_but_norms": no weight decay on the backbone's norms; biases and the head's
    norms do decay. This reproduces SegFormer's `paramwise_cfg`.
    "all": weight decay on everything (PVT v2's Semantic FPN).

    head_lr_factor: the learning rate of all parameters outside of the backbone is `lr`
    times this.
    layer_decay: the learning rate of layer i of L is `lr * layer_decay ** (L + 1 - i)`
    (BEiT, https://arxiv.org/abs/2106.08254, appendix). Raises UserError for a backbone
    without `layer_ids`.
    """
    layers = _layer_ids(model.backbone, layer_decay)
    last = max(layers.values(), default=0) + 1
    groups = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        module, _, rest = name.partition(".")
        factor = layer_decay ** (last - layers.get(rest, last)) if module == "backbone" else head_lr_factor
        groups[factor, _decays(decay, name, parameter)].append(parameter)
    if not groups:
        raise UserError(NOTHING_TO_TRAIN)
    return optim.AdamW(
        [
            {"params": parameters, "lr": lr * factor, "weight_decay": weight_decay if decays else 0.0}
            for (factor, decays), parameters in groups.items()
        ],
        lr=lr,
        betas=(betas[0], betas[1]),
    )


def adam(model: nn.Module, *, lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> optim.Adam:
    """Adam over the trainable parameters: one learning rate, no weight decay.

    GLPN trains so (https://arxiv.org/abs/2201.07436, section 4.1).
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise UserError(NOTHING_TO_TRAIN)
    return optim.Adam(parameters, lr=lr, betas=(betas[0], betas[1]))


def _decays(rule: str, name: str, parameter: Tensor) -> bool:
    match rule:
        case "no_norm_and_bias":
            return parameter.ndim > 1
        case "all_but_norms":
            return not name.startswith("backbone.") or "norm" not in name
        case "all":
            return True
    raise UserError(f"optimizer.decay={rule!r} is not known; use no_norm_and_bias, all_but_norms or all.")


def _layer_ids(backbone: Any, layer_decay: float) -> Mapping[str, int]:
    """The layer of each parameter of the backbone; empty where all layers learn alike."""
    if layer_decay == 1:
        return {}
    if not hasattr(backbone, "layer_ids"):
        raise UserError(
            f"optimizer.layer_decay is {layer_decay}, and {type(backbone).__name__} has no layer_ids, which tell "
            "its layers; use optimizer.layer_decay=1, or add them."
        )
    return backbone.layer_ids()
