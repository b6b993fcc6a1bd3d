"""Classes are the argmax of the interpolated logits, which never exist."""

from __future__ import annotations

import pytest
import torch
from resizing import SIZES, plain

from pvtseg.layers import upsampled_argmax as module
from pvtseg.layers.upsampled_argmax import upsampled_argmax


@pytest.fixture(params=[1, 100, 10**9], ids=["a_pixel", "some_pixels", "all_pixels"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LOGITS", request.param)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize(("coarse_size", "size"), SIZES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_classes_are_the_argmax_of_the_interpolated_logits(coarse_size, size, memory_format):
    logits = torch.randn(2, 7, *coarse_size, dtype=torch.float64).contiguous(memory_format=memory_format)
    classes = upsampled_argmax(logits, size)
    assert classes.dtype == torch.int64
    assert torch.equal(classes, plain(logits, size).argmax(dim=1))


def test_classes_are_right_where_regions_are_large():
    """Most pixels are decided without interpolation; the rest, along the borders, must
    agree with them.
    """
    scene = plain(torch.randn(2, 20, 3, 4, dtype=torch.float64), (24, 32))
    assert torch.equal(upsampled_argmax(scene, (96, 130)), plain(scene, (96, 130)).argmax(dim=1))


def test_a_class_that_wins_at_no_coarse_pixel_can_win_after_upsampling():
    """Two neighbors disagree strongly, and the runner-up of both is the best of their
    mean.
    """
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0], [6.0, 6.0]]).view(1, 3, 1, 2)
    assert 2 in upsampled_argmax(logits, (1, 8))


def test_of_equal_classes_the_lowest_wins():
    assert (upsampled_argmax(torch.zeros(1, 4, 3, 3), (12, 12)) == 0).all()
    logits = torch.randn(1, 1, 5, 5).repeat(1, 6, 1, 1)
    assert (upsampled_argmax(logits, (20, 20)) == 0).all()


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("size", [(29, 40), (5, 7), (48, 64)])
def test_of_several_logits_the_mean_probability_decides(size):
    """Smooth maps with large regions, each at its own resolution, finer or coarser than
    the result.
    """
    scene = plain(torch.randn(2, 6, 3, 4, dtype=torch.float64), (12, 16))
    several = [
        plain(scale * scene + noise * torch.randn_like(scene), coarse)
        for scale, noise, coarse in [(1, 0.3, (6, 8)), (5, 0.1, (9, 12)), (2, 1, (13, 17)), (1, 0, (60, 80))]
    ]
    expected = torch.stack([plain(logits, size).softmax(dim=1) for logits in several]).mean(dim=0).argmax(dim=1)
    assert torch.equal(upsampled_argmax(several, size), expected)


def test_logits_of_high_confidence_have_one_vote_of_three():
    several = [torch.tensor(logits).view(1, 2, 1, 1) for logits in ([10.0, 0.0], [0.0, 2.0], [0.0, 2.0])]
    assert (upsampled_argmax(several, (3, 3)) == 1).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_upsampled_in_float32(dtype):
    logits = torch.randn(1, 9, 8, 8).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        classes = upsampled_argmax(logits, (32, 32))
    assert torch.equal(classes, upsampled_argmax(logits.float(), (32, 32)))
