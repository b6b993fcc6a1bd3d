"""Heads and backbones meet as Features only."""

import pytest
import torch

import pvtseg
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.heads.semantic_fpn import SemanticFPNHead
from pvtseg.model import DenseModel, ImageModel

VARIANTS = [*(f"pvt_v2_b{size}" for size in range(6)), "pvt_v2_b2_linear", *(f"mit_b{size}" for size in range(6))]
MODELS = {
    "segformer": lambda backbone: DenseModel(backbone, SegFormerHead(backbone.channels, 5, channels=16)),
    "semantic_fpn": lambda backbone: DenseModel(backbone, SemanticFPNHead(backbone.channels, 5, pyramid_channels=16, channels=8)),
    "glpn": lambda backbone: DenseModel(backbone, GLPNHead(backbone.channels, max_depth=10, channels=16)),
    "linear": lambda backbone: ImageModel(backbone, LinearHead(backbone.channels, 5)),
}
ANSWERS = {"segformer": (5, 17, 25), "semantic_fpn": (5, 17, 25), "glpn": (1, 68, 100), "linear": (5,)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_any_head_runs_on_any_backbone(variant):
    with torch.device("meta"):
        backbone = getattr(pvtseg, variant)()
        heads = {name: make(backbone).head for name, make in MODELS.items()}
    features = backbone(torch.empty(2, 3, 65, 97, device="meta"))
    for name, head in heads.items():
        assert head(features).shape == (2, *ANSWERS[name]), name


@pytest.mark.parametrize("head", MODELS)
@pytest.mark.parametrize(("variant", "options"), [("pvt_v2_b0", {}), ("pvt_v2_b0", {"linear": True}), ("mit_b0", {})])
def test_every_parameter_gets_a_gradient(variant, options, head):
    model = MODELS[head](getattr(pvtseg, variant)(**options))
    model.answer(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("head", MODELS)
def test_a_model_runs_in_double_precision(head):
    model = MODELS[head](pvtseg.mit_b0()).double().eval()
    assert model(torch.randn(1, 3, 32, 32, dtype=torch.float64)).isfinite().all()


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
        model = ImageModel(backbone, LinearHead(backbone.channels, 1000))
    assert sum(parameter.numel() for parameter in model.parameters()) == published
