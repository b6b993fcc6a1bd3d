"""Semantic FPN against the figures of PVT v2's table, and against its definition
written out by hand.
"""

from __future__ import annotations

import pytest
import torch
from flops import multiply_adds
from torch import nn
from torch.nn import functional as F

import pvtseg
from pvtseg.heads.semantic_fpn import SemanticFPNHead

PUBLISHED = {  # PVT v2's code, segmentation: millions of parameters, GFLOPs at 512 x 512
    "pvt_v2_b0": (7.6, 25.0),
    "pvt_v2_b1": (17.8, 34.2),
    "pvt_v2_b2_linear": (26.3, 41.0),
    "pvt_v2_b2": (29.1, 45.8),
    "pvt_v2_b3": (49.0, 62.4),
    "pvt_v2_b4": (66.3, 81.3),
    "pvt_v2_b5": (85.7, 91.1),
}


def model_of(variant):
    with torch.device("meta"):
        backbone = getattr(pvtseg, variant)()
        return nn.Sequential(backbone, SemanticFPNHead(backbone.channels, 150))


@pytest.mark.parametrize("variant", PUBLISHED)
def test_a_model_of_150_classes_has_the_published_number_of_parameters(variant):
    millions = sum(parameter.numel() for parameter in model_of(variant).parameters()) / 1e6
    assert millions == pytest.approx(PUBLISHED[variant][0], abs=0.055)  # b0 has 7.545, which the table calls 7.6


@pytest.mark.parametrize("variant", PUBLISHED)
def test_a_model_does_about_the_published_work(variant):
    work = multiply_adds(model_of(variant), (512, 512)) / 1e9
    assert work == pytest.approx(PUBLISHED[variant][1], rel=0.06)


def features_of(height, width, channels=(4, 6, 8, 10)):
    sizes = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
    return [torch.randn(2, c, *size, dtype=torch.float64) for c, size in zip(channels, sizes, strict=True)]


def by_hand(head, features):
    """mmsegmentation's FPN and FPNHead: 1 x 1, add from above (nearest), 3 x 3; 3 x 3,
    norm, ReLU, double (bilinear); add.
    """

    def twice(maps):
        return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)

    def convolve(block, maps):
        (convolution, norm, _), _ = block
        return F.relu(norm(F.conv2d(maps, convolution.weight, padding=1)))

    p4, p3, p2, p1 = (
        project(maps) for project, maps in zip(reversed(head.pyramid.project), reversed(features), strict=True)
    )
    p3 = p3 + F.interpolate(p4, size=p3.shape[-2:], mode="nearest")
    p2 = p2 + F.interpolate(p3, size=p2.shape[-2:], mode="nearest")
    p1 = p1 + F.interpolate(p2, size=p1.shape[-2:], mode="nearest")
    p1, p2, p3, p4 = (smooth(maps) for smooth, maps in zip(head.pyramid.smooth, (p1, p2, p3, p4), strict=True))
    a, b, c, d = head.paths
    size = features[0].shape[-2:]
    p1 = convolve(a[0], p1)
    p2 = twice(convolve(b[0], p2))
    p3 = twice(convolve(c[1], twice(convolve(c[0], p3))))
    p4 = twice(convolve(d[2], twice(convolve(d[1], twice(convolve(d[0], p4))))))
    fused = p1
    for maps in (p2, p3, p4):
        fused = fused + F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    return head.classify(fused)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97), (100, 33)])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_head_is_its_definition(height, width, training):
    torch.manual_seed(0)
    head = SemanticFPNHead((4, 6, 8, 10), 5, pyramid_channels=12, channels=8, dropout=0.0).double().train(training)
    features = features_of(height, width)
    found = head(features)
    assert found.shape == (2, 5, *features[0].shape[-2:])
    assert found.std() > 0
    torch.testing.assert_close(found, by_hand(head, features))


def test_whole_channels_are_dropped_in_training_only():
    head = SemanticFPNHead((4, 6, 8, 10), 3, pyramid_channels=8, channels=64, dropout=0.5).double()
    seen = []
    head.classify.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    head(features_of(64, 64))
    head.eval()(features_of(64, 64))
    dropped, kept = (maps.flatten(2).eq(0).all(dim=2).double().mean() for maps in seen)
    assert 0.3 < dropped < 0.7
    assert kept < 0.1
