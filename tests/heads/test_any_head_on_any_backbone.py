"""Every head runs on every backbone, in every floating-point type."""

from __future__ import annotations

from functools import cache

import pytest
import torch

import pvtseg
from pvtseg.heads.fcn import FCNHead
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.heads.semantic_fpn import SemanticFPNHead
from pvtseg.model import Model

VARIANTS = [*(f"pvt_v2_b{size}" for size in range(6)), "pvt_v2_b2_linear", *(f"mit_b{size}" for size in range(6))]
HEADS = {
    "segformer": lambda channels: SegFormerHead(channels, 5, channels=16),
    "semantic_fpn": lambda channels: SemanticFPNHead(channels, 5, pyramid_channels=16, channels=8),
    "glpn": lambda channels: GLPNHead(channels, max_depth=10, channels=16),
    "fcn": lambda channels: FCNHead(channels, 5, channels=16),
    "linear": lambda channels: LinearHead(channels, 5),
}
SHAPES = {"segformer": (5, 17, 25), "semantic_fpn": (5, 17, 25), "glpn": (1, 68, 100), "fcn": (5, 5, 7), "linear": (5,)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_any_head_runs_on_any_backbone(variant):
    with torch.device("meta"):
        backbone = getattr(pvtseg, variant)()
        heads = {name: make(backbone.channels) for name, make in HEADS.items()}
    features = backbone(torch.empty(2, 3, 65, 97, device="meta"))
    for name, head in heads.items():
        assert head(features, [(65, 97), (60, 90)]).shape == (2, *SHAPES[name]), name


def model_of(variant, head, **options):
    backbone = getattr(pvtseg, variant)(**options)
    return Model(backbone, HEADS[head](backbone.channels))


@pytest.mark.parametrize("head", sorted(HEADS.keys() - {"fcn"}))
@pytest.mark.parametrize(("variant", "options"), [("pvt_v2_b0", {}), ("pvt_v2_b0", {"linear": True}), ("mit_b0", {})])
def test_every_parameter_gets_a_gradient(variant, options, head):
    model = model_of(variant, head, **options)
    model(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@cache
def features_of(variant, dtype, size):
    torch.manual_seed(0)
    backbone = getattr(pvtseg, variant)().eval().to(dtype)
    with torch.no_grad():
        return backbone.channels, backbone(torch.randn(2, 3, *size).to(dtype))


@pytest.mark.parametrize("size", [(64, 64), (65, 97)], ids=["even", "odd"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("variant", ["pvt_v2_b0", "pvt_v2_b2_linear"])
def test_weights_of_every_floating_point_type_work_in_evaluation(variant, head, dtype, size):
    channels, features = features_of(variant, torch.float32, size)
    module = HEADS[head](channels).eval()
    with torch.no_grad():
        expected = module(features)
        outputs = module.to(dtype)(features_of(variant, dtype, size)[1])
    assert outputs.dtype == (torch.float32 if head == "glpn" and dtype.itemsize == 2 else dtype)  # depth is not rounded
    tolerance = {torch.bfloat16: 0.05, torch.float16: 0.01, torch.float64: 1e-4}[dtype] * float(expected.std())
    assert (outputs.float() - expected).abs().mean() < tolerance


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_trained_norm_of_the_segformer_head_works_in_half_precision(dtype):
    head = SegFormerHead((4, 6, 8, 10), 5, channels=12)
    features = [torch.randn(2, c, s, s + 1) for c, s in ((4, 16), (6, 8), (8, 4), (10, 2))]
    for _ in range(20):
        head(features)  # the norm collects its statistics
    head.eval()
    with torch.no_grad():
        expected = head(features)
        outputs = head.to(dtype)([maps.to(dtype) for maps in features])
    assert outputs.dtype == dtype
    torch.testing.assert_close(outputs.float(), expected, rtol=0.05, atol=0.05)


def test_the_linear_head_is_a_mean_and_a_matrix():
    torch.manual_seed(0)
    head = LinearHead((4, 6, 8, 10), 3)
    with torch.no_grad():
        head.classify.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    features = [torch.randn(2, c, side, side + 1) for c, side in ((4, 16), (6, 8), (8, 4), (10, 2))]
    expected = features[3].flatten(2).mean(dim=2) @ head.classify.weight.T + head.classify.bias
    torch.testing.assert_close(head(features), expected)


@pytest.mark.parametrize(
    ("variant", "published"),
    [
        ("pvt_v2_b0", 3_666_760),
        ("pvt_v2_b1", 14_009_000),
        ("pvt_v2_b2", 25_362_856),
        ("pvt_v2_b2_linear", 22_553_512),
        ("pvt_v2_b3", 45_238_696),
        ("pvt_v2_b4", 62_556_072),
        ("pvt_v2_b5", 81_956_008),
    ],
)
def test_classifiers_of_1000_classes_have_the_published_number_of_parameters(variant, published):
    with torch.device("meta"):
        backbone = getattr(pvtseg, variant)()
        model = Model(backbone, LinearHead(backbone.channels, 1000))
    assert sum(parameter.numel() for parameter in model.parameters()) == published
