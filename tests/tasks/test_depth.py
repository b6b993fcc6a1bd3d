"""Depth estimation: from a head's meters to those of each image, and their picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pvtseg.errors import UserError
from pvtseg.tasks.depth import DepthPostProcess, DepthVisualizer

IMAGE = np.full((20, 30, 3), 100, dtype=np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_depth_is_resized_to_the_size_of_each_image(interpolation):
    depth = 10 * torch.rand(3, 1, 9, 12)
    sizes = [(36, 48), (65, 97), (9, 12)]
    maps = DepthPostProcess(interpolation=interpolation)([depth], sizes)
    for index, (found, size) in enumerate(zip(maps, sizes, strict=True)):
        expected = F.interpolate(depth[index, None], size=size, mode=interpolation, align_corners=False)[0, 0]
        torch.testing.assert_close(found, expected)
    assert torch.equal(maps[2], depth[2, 0])


def test_bilinear_is_the_default_and_bicubic_another():
    depth = 10 * torch.rand(1, 1, 9, 12)
    default, bilinear, bicubic = (
        process([depth], [(20, 30)])[0]
        for process in (DepthPostProcess(), *(DepthPostProcess(interpolation=each) for each in ("bilinear", "bicubic")))
    )
    assert torch.equal(default, bilinear)
    assert not torch.allclose(default, bicubic)


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(UserError, match=r"postprocess\.interpolation is 'nearest'; use bilinear or bicubic\.$"):
        DepthPostProcess(interpolation="nearest")


def test_several_views_are_averaged_at_the_size_of_the_image():
    views = [10 * torch.rand(2, 1, *size) for size in ((9, 12), (18, 24))]
    for index, found in enumerate(DepthPostProcess()(views, [(18, 24), (18, 24)])):
        coarse = F.interpolate(views[0][index, None], size=(18, 24), mode="bilinear", align_corners=False)[0, 0]
        torch.testing.assert_close(found, (coarse + views[1][index, 0]) / 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_resized_in_float32(dtype):
    depth = (10 * torch.rand(1, 1, 9, 12)).to(dtype)
    (found,) = DepthPostProcess()([depth], [(20, 30)])
    assert found.dtype == torch.float32
    assert torch.equal(found, DepthPostProcess()([depth.float()], [(20, 30)])[0])


def test_near_is_bright_far_is_dark_and_invalid_depth_is_gray():
    depth = np.linspace(0.5, 10, 20 * 30, dtype=np.float32).reshape(20, 30)
    depth[-1, -1] = 0
    picture = DepthVisualizer(0.5, 10)(depth, IMAGE)
    assert picture.shape == IMAGE.shape
    assert picture.dtype == np.uint8
    assert picture[-1, -1].tolist() == [128, 128, 128]
    brightness = picture.reshape(-1, 3).astype(float).mean(axis=1)[:-1]
    assert (np.diff(brightness) <= 1).all()  # falls all the way, up to rounding
    assert brightness[0] > 180 > 30 > brightness[-1]


def test_the_color_of_a_depth_is_the_same_beside_any_other():
    visualizer = DepthVisualizer(0.5, 10)
    alone, among = visualizer(np.full((1, 1), 3.0), IMAGE), visualizer(np.array([[3.0, 9.0, 99.0, 0.1]]), IMAGE)
    assert alone[0, 0].tolist() == among[0, 0].tolist()


def test_the_legend_is_the_scale_in_meters():
    visualizer = DepthVisualizer(1, 6)
    *scale, invalid = visualizer.legend()
    assert [name for name, _ in scale] == ["1.0 m", "2.0 m", "3.0 m", "4.0 m", "5.0 m", "6.0 m"]
    for name, color in scale:
        assert visualizer(np.full((1, 1), float(name[:3])), IMAGE)[0, 0].tolist() == list(color)
    assert invalid == ("invalid", (128, 128, 128))
    assert visualizer.legend([np.full((2, 2), 3.0)]) == visualizer.legend()
