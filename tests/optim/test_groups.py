"""Which parameters decay, and how fast each learns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import pvtseg
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.model import Model
from pvtseg.optim.groups import adam, adamw


def model_of(**options) -> Model:
    with torch.device("meta"):
        backbone = pvtseg.mit_b0(**options)
        return Model(backbone, SegFormerHead(backbone.channels, 3, channels=8))


def settings(model: nn.Module, **options) -> dict[str, dict]:
    """Parameter name -> the options of its group; each parameter is in one group only."""
    optimizer = adamw(model, **options)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert names[id(parameter)] not in found
            found[names[id(parameter)]] = group
    return found


def test_every_parameter_is_in_one_group():
    model = model_of()
    assert settings(model, lr=1e-3).keys() == dict(model.named_parameters()).keys()


def test_norms_and_biases_do_not_decay_and_all_else_does():
    model = model_of()
    norms = {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, (nn.LayerNorm, nn.BatchNorm2d))
        for name, _ in module.named_parameters()
    }
    assert "head.norm.weight" in norms
    for name, group in settings(model, lr=1e-3, weight_decay=0.05).items():
        spared = name in norms or name.endswith(".bias")
        assert group["weight_decay"] == (0 if spared else 0.05), name
        assert group["lr"] == 1e-3, name


def test_the_head_learns_faster_by_its_factor():
    for name, group in settings(model_of(), lr=6e-5, head_lr_factor=10).items():
        assert group["lr"] == pytest.approx(6e-4 if name.startswith("head.") else 6e-5), name


class Layered(nn.Module):
    """A backbone that counts its own layers, in another way than ours."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(2, 3)
        self.trunk = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.norm = nn.LayerNorm(3)

    def layer_ids(self):
        layers = {"stem": 0, "trunk.0": 1, "trunk.1": 2, "norm": 2}
        return {f"{path}.{name}": layer for path, layer in layers.items() for name in ("weight", "bias")}


def test_layer_decay_reads_the_layers_from_any_backbone():
    """BEiT: layer i of L learns at decay ** (L + 1 - i)."""
    model = Model(Layered(), nn.Linear(3, 4))
    rate = {name: group["lr"] for name, group in settings(model, lr=1.0, layer_decay=0.5, head_lr_factor=3).items()}
    expected = {"stem": 0.5**3, "trunk.0": 0.5**2, "trunk.1": 0.5, "norm": 0.5}
    assert rate == {
        **{f"backbone.{path}.{name}": value for path, value in expected.items() for name in ("weight", "bias")},
        **{"head.weight": 3.0, "head.bias": 3.0},
    }


def test_layer_decay_needs_a_backbone_that_tells_its_layers():
    model = Model(nn.Linear(2, 3), nn.Linear(3, 4))
    with pytest.raises(
        pvtseg.UserError, match=r"optimizer\.layer_decay is 0\.5, and Linear has no layer_ids.*layer_decay=1"
    ):
        adamw(model, lr=1.0, layer_decay=0.5)
    assert {group["lr"] for group in settings(model, lr=1.0).values()} == {1.0}


def test_layer_decay_slows_every_block_down_by_one_factor_more_than_the_next():
    groups = settings(model_of(), lr=1.0, layer_decay=0.5)
    rate = {name: group["lr"] for name, group in groups.items()}
    number_of_blocks = 8
    blocks = [f"backbone.stages.{stage}.blocks.{block}." for stage in range(4) for block in range(2)]
    for number, prefix in enumerate(blocks, start=1):
        of_this_block = {value for name, value in rate.items() if name.startswith(prefix)}
        assert of_this_block == {0.5 ** (number_of_blocks + 1 - number)}, prefix
    assert rate["backbone.stages.0.embed.project.weight"] == 0.5 ** (number_of_blocks + 1)
    assert rate["backbone.stages.3.norm.weight"] == 0.5
    assert {value for name, value in rate.items() if name.startswith("head.")} == {1.0}
    # what stands between two blocks learns as fast as one of them
    for stage in (1, 2, 3):
        neighbors = {rate[f"backbone.stages.{s}.blocks.{b}.norm1.weight"] for s, b in ((stage - 1, 1), (stage, 0))}
        assert rate[f"backbone.stages.{stage}.embed.project.weight"] in neighbors
        assert rate[f"backbone.stages.{stage - 1}.norm.weight"] in neighbors


def test_frozen_parameters_are_left_out():
    names = settings(model_of(frozen_stages=2), lr=1e-3).keys()
    assert not any(name.startswith(("backbone.stages.0.", "backbone.stages.1.")) for name in names)
    assert "backbone.stages.2.embed.project.weight" in names


def test_a_head_alone_can_be_trained():
    assert all(name.startswith("head.") for name in settings(model_of(frozen_stages=4), lr=1e-3))


def test_nothing_left_to_train_is_an_error():
    model = model_of().requires_grad_(False)
    with pytest.raises(pvtseg.UserError, match="nothing is left to train"):
        adamw(model, lr=1e-3)


def test_it_is_adamw_with_the_betas_of_the_options():
    optimizer = adamw(model_of(), lr=1e-3, betas=[0.8, 0.9])
    assert type(optimizer) is torch.optim.AdamW
    assert {tuple(group["betas"]) for group in optimizer.param_groups} == {(0.8, 0.9)}


def by_substrings(name, rules):
    """mmcv's custom_keys: the longest key that a name contains, of equal ones the first."""
    keys = sorted(sorted(rules), key=len, reverse=True)
    return next((rules[key] for key in keys if key in name), {})


def test_segformers_rules_for_parts_of_names():
    """norm: no decay, head: ten times the rate. mmcv looks for the head first."""
    rules = {"pos_block": {"decay": 0.0}, "norm": {"decay": 0.0}, "head": {"lr": 10.0}}
    groups = settings(model_of(), lr=6e-5, weight_decay=0.01, decay="all_but_norms", head_lr_factor=10)
    assert groups.keys() == dict(model_of().named_parameters()).keys()
    for name, group in groups.items():
        rule = by_substrings(name, rules)
        assert group["lr"] == pytest.approx(6e-5 * rule.get("lr", 1.0)), name
        assert group["weight_decay"] == 0.01 * rule.get("decay", 1.0), name
    decays = {name for name, group in groups.items() if group["weight_decay"]}
    assert {"head.norm.weight", "head.norm.bias", "backbone.stages.0.blocks.0.attention.query.bias"} <= decays
    assert not {"backbone.stages.0.norm.weight", "backbone.stages.1.blocks.0.norm1.bias"} & decays


def test_semantic_fpn_decays_everything():
    assert {
        group["weight_decay"] for group in settings(model_of(), lr=1e-4, weight_decay=1e-4, decay="all").values()
    } == {1e-4}


def test_a_rule_that_is_not_known_is_refused():
    with pytest.raises(
        pvtseg.UserError, match=r"optimizer\.decay='biases'.*use no_norm_and_bias, all_but_norms or all"
    ):
        adamw(model_of(), lr=1e-3, decay="biases")


def test_glpns_adam_has_one_group_and_no_decay():
    model = model_of(frozen_stages=1)
    optimizer = adam(model, lr=1e-4)
    (group,) = optimizer.param_groups
    assert type(optimizer) is torch.optim.Adam
    assert (group["lr"], group["weight_decay"], tuple(group["betas"])) == (1e-4, 0, (0.9, 0.999))
    assert len(group["params"]) == sum(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(pvtseg.UserError, match="nothing is left to train"):
        adam(model.requires_grad_(False), lr=1e-4)
