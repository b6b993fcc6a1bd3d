"""The all-MLP head against the paper's own order of work."""

from __future__ import annotations

import pytest
import torch
from flops import multiply_adds
from torch import nn
from torch.nn import functional as F

import pvtseg
from pvtseg.heads.segformer import SegFormerHead

NARROW, WIDE = (32, 64, 160, 256), (64, 128, 320, 512)


def randomized(head):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        head.norm.running_mean.copy_(torch.randn(head.norm.running_mean.shape, generator=generator))
        head.norm.running_var.copy_(torch.rand(head.norm.running_var.shape, generator=generator) + 0.5)
    return head


def features_of(height, width, channels=(4, 6, 8, 10)):
    generator = torch.Generator().manual_seed(1)
    sizes = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
    return [torch.randn(2, c, *size, generator=generator) for c, size in zip(channels, sizes, strict=True)]


def in_the_papers_order(head, features):
    """Project, upsample, concatenate c4 to c1, fuse, norm, ReLU, drop, classify."""
    size = features[0].shape[-2:]
    projected = []
    for branch, maps in zip(head.branches, features, strict=True):
        tokens = branch.project(maps.flatten(2).transpose(1, 2))  # (B, N, D)
        maps = tokens.transpose(1, 2).unflatten(2, maps.shape[-2:])
        projected.append(F.interpolate(maps, size=size, mode="bilinear", align_corners=False))
    weight = torch.cat([branch.fuse.weight for branch in reversed(head.branches)], dim=1)[:, :, None, None]
    fused = F.conv2d(torch.cat(projected[::-1], dim=1), weight)
    return head.classify(head.dropout(F.relu(head.norm(fused))))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 97)])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_fusing_before_upsampling_is_the_papers_function(training, height, width):
    features = features_of(height, width)
    outputs, gradients, means = [], [], []
    for function in (SegFormerHead.forward, in_the_papers_order):
        head = randomized(SegFormerHead((4, 6, 8, 10), 5, channels=12)).train(training)
        torch.manual_seed(2)  # the same channels are dropped
        outputs.append(function(head, features))
        outputs[-1].square().mean().backward()
        gradients.append({name: parameter.grad for name, parameter in head.named_parameters()})
        means.append(head.norm.running_mean)
    assert outputs[1].std() > 0.1
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-5)
    torch.testing.assert_close(*means, rtol=0, atol=1e-5)
    for name, gradient in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], gradient, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("in_channels", "channels", "published"),
    [(NARROW, 256, 433_302), (WIDE, 256, 564_374), (WIDE, 768, 3_265_686)],
    ids=["B0", "B1", "B2 and larger"],
)
def test_as_many_parameters_as_the_official_head_without_its_unused_layer(in_channels, channels, published):
    with torch.device("meta"):
        head = SegFormerHead(in_channels, 150, channels=channels)
    assert sum(parameter.numel() for parameter in head.parameters()) == published


@pytest.mark.parametrize(
    ("backbone", "channels", "gmacs"), [("pvt_v2_b0", 256, 4.7), ("pvt_v2_b1", 256, 13.8), ("pvt_v2_b2", 768, 27.6)]
)
def test_a_model_does_no_more_work_than_the_folded_head_needs(backbone, channels, gmacs):
    with torch.device("meta"):
        encoder = getattr(pvtseg, backbone)()
        model = nn.Sequential(encoder, SegFormerHead(encoder.channels, 150, channels=channels))
    # the weights' own products, which do not grow with the image, come on top
    products = channels * channels * sum(encoder.channels)
    assert (multiply_adds(model, (512, 512)) - products) / 1e9 == pytest.approx(gmacs, rel=0.015)


def test_logits_are_a_quarter_of_the_image_and_one_map_per_class():
    head = SegFormerHead((4, 6, 8, 10), 7, channels=8)
    assert head(features_of(65, 97)).shape == (2, 7, 17, 25)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_whole_channels_are_dropped_in_training_only(training):
    """Each of the 64 channels of an image is the logit of one class: a dropped one
    leaves the bias alone.
    """
    head = SegFormerHead((4, 6, 8, 10), 64, channels=64, dropout=0.5).train(training)
    with torch.no_grad():
        head.classify.weight.copy_(torch.eye(64)[:, :, None, None])
        head.classify.bias.zero_()
        head.norm.bias.fill_(5.0)  # so that the ReLU leaves no channel without a pixel
        silent = head(features_of(64, 64)).flatten(2).eq(0).all(dim=2).float().mean()
    assert 0.3 < silent < 0.7 if training else silent == 0


@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_logits_in_row_chunks_are_the_logits_at_once(monkeypatch, rows):
    head = randomized(SegFormerHead((4, 6, 8, 10), 5, channels=12)).eval()
    features = features_of(65, 97)
    monkeypatch.setattr("pvtseg.layers.row_chunks.CPU_UPSAMPLED_BYTES", rows * 25 * 12 * 4)
    with torch.no_grad():
        torch.testing.assert_close(head(features), in_the_papers_order(head, features), atol=1e-4, rtol=1e-4)
