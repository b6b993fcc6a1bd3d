"""GLPN's decoder against its official order of work, and on the sizes that the official
one refuses.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pvtseg.heads.glpn import GLPNHead

NARROW, WIDE = (32, 64, 160, 256), (64, 128, 320, 512)


def features_of(height, width, channels=WIDE, batch=1):
    generator = torch.Generator().manual_seed(1)
    sizes = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
    return [torch.randn(batch, c, *size, generator=generator) for c, size in zip(channels, sizes, strict=True)]


@pytest.mark.parametrize(
    ("in_channels", "published"), [(WIDE, 378_215), (NARROW, 345_447)], ids=["MiT-B4's widths", "b0's widths"]
)
def test_as_many_parameters_as_the_official_decoder(in_channels, published):
    with torch.device("meta"):
        head = GLPNHead(in_channels, max_depth=10)
    assert sum(parameter.numel() for parameter in head.parameters()) == published


def in_the_official_order(head, features):
    """Twice the size at every step; the fusion's weights for local and global map from
    its two channels.
    """

    def twice(maps):
        return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)

    def fuse(fusion, local_maps, global_maps):
        attention = torch.sigmoid(
            fusion.weigh[6](
                F.relu(fusion.weigh[4](fusion.weigh[3](F.relu(fusion.weigh[1](fusion.weigh[0](
                    torch.cat([local_maps, global_maps], dim=1)
                ))))))
            )
        )  # fmt: skip
        return local_maps * attention[:, :1] + global_maps * attention[:, 1:]

    c1, c2, c3, c4 = features
    decoded = head.project[3](c4)
    decoded = fuse(head.fuse[2], head.project[2](c3), twice(decoded))
    decoded = fuse(head.fuse[1], head.project[1](c2), twice(decoded))
    decoded = fuse(head.fuse[0], c1, twice(decoded))  # unchanged: the finest map has the decoder's width
    decoded = twice(twice(decoded))
    return torch.sigmoid(head.estimate[2](F.relu(head.estimate[0](decoded)))) * head.max_depth


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_depth_equals_that_of_the_official_order(training):
    torch.manual_seed(0)
    head = GLPNHead(WIDE, max_depth=10).train(training)
    features = features_of(64, 96, batch=2)
    with torch.no_grad():
        expected = in_the_official_order(head, features)
        depth = head(features)
    assert expected.std() > 0.01
    torch.testing.assert_close(depth, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [NARROW, WIDE, (64, 64, 64, 64)], ids=["b0", "b1 to b5", "equal"])
@pytest.mark.parametrize(("height", "width"), [(100, 100), (61, 81), (33, 47), (32, 32)])
def test_no_image_size_and_no_width_is_refused(channels, height, width):
    with torch.device("meta"):
        head = GLPNHead(channels, max_depth=10)
    features = [maps.to("meta") for maps in features_of(height, width, channels)]
    assert head(features).shape == (1, 1, 4 * -(-height // 4), 4 * -(-width // 4))


@pytest.mark.parametrize("max_depth", [10.0, 80.0])
def test_depth_lies_between_zero_and_the_maximum(max_depth):
    head = GLPNHead((4, 6, 8, 10), max_depth=max_depth, channels=8)
    depth = head([100 * maps for maps in features_of(64, 64, (4, 6, 8, 10), batch=4)])
    assert depth.min() >= 0
    assert depth.max() <= max_depth
    assert depth.max() - depth.min() > max_depth / 100


def test_depth_is_float32_and_not_zero_under_mixed_precision():
    head = GLPNHead((4, 6, 8, 10), max_depth=10, channels=8).eval()
    with torch.no_grad():
        head.estimate[2].bias.fill_(-40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        depth = head(features_of(32, 32, (4, 6, 8, 10)))
    assert depth.dtype == torch.float32
    assert depth.min() > 0
    assert depth.log().isfinite().all()
