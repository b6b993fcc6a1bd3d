"""Windows cover the image, one of them is the whole image, and their mean is the one that brute force finds."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import pvtseg
from pvtseg.backbones.pvt_v2 import PyramidVisionTransformer
from pvtseg.errors import UserError
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.inference.blending import PROFILES
from pvtseg.inference.sliding_window import SlidingWindow, starts
from pvtseg.inference.whole import Whole
from pvtseg.model import DenseModel, ImageModel


class Quarters:
    """Answers with the mean color of each 4 x 4 pixels, plus the mean of all that it was shown: it tells windows apart."""

    def __init__(self):
        self.seen = []

    def answer(self, image):
        self.seen.append(tuple(image.shape))
        return F.avg_pool2d(image, 4) + image.mean(dim=(2, 3), keepdim=True)


@torch.no_grad()
def brute_force(image, window, stride, weigh=lambda rows, columns: np.ones((rows, columns))):
    """mmsegmentation's slide mode, pixel by pixel: windows clamped to the border, answers summed up and divided by counts."""
    _, channels, height, width = image.shape
    total, count = np.zeros((channels, height, width)), np.zeros((height, width))
    for i in range(max(height - window + stride - 1, 0) // stride + 1):
        for j in range(max(width - window + stride - 1, 0) // stride + 1):
            bottom, right = min(i * stride + window, height), min(j * stride + window, width)
            top, left = max(bottom - window, 0), max(right - window, 0)
            answer = Quarters().answer(image[:, :, top:bottom, left:right])
            weights = np.kron(weigh(*answer.shape[-2:]), np.ones((4, 4)))
            total[:, top:bottom, left:right] += np.kron(answer[0].numpy(), np.ones((1, 4, 4))) * weights
            count[top:bottom, left:right] += weights
    return (total / count)[:, ::4, ::4]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (100, 68), (48, 40), (20, 100)])
@pytest.mark.parametrize("stride", [32, 16, 12, 24])
def test_the_mean_is_that_of_brute_force(height, width, stride):
    image = torch.randn(1, 3, height, width, dtype=torch.float64)
    found = SlidingWindow(32, stride=stride)(Quarters(), image)
    np.testing.assert_allclose(found[0].numpy(), brute_force(image, 32, stride), rtol=1e-10)


@torch.no_grad()
def brute_force_at_every_pixel(model, image, window, stride):
    """mmsegmentation's slide mode to the letter: each window's answer is upsampled to the window before the sum."""
    height, width = image.shape[-2:]
    total, count = 0.0, torch.zeros(height, width, dtype=image.dtype)
    for i in range(max(height - window + stride - 1, 0) // stride + 1):
        for j in range(max(width - window + stride - 1, 0) // stride + 1):
            bottom, right = min(i * stride + window, height), min(j * stride + window, width)
            top, left = max(bottom - window, 0), max(right - window, 0)
            crop = image[:, :, top:bottom, left:right]
            fine = F.interpolate(model.answer(crop), size=crop.shape[-2:], mode="bilinear", align_corners=False)
            total = total + F.pad(fine, (left, width - right, top, height - bottom))
            count[top:bottom, left:right] += 1
    return total / count


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(61, 90), (100, 68), (33, 129), (34, 40)])
@pytest.mark.parametrize("stride", [48, 32, 21])
def test_on_a_grid_of_pixels_it_is_mmsegmentations_slide_mode_to_the_digit(height, width, stride):
    torch.manual_seed(0)
    backbone = PyramidVisionTransformer((8, 16, 20, 32), (1, 1, 1, 1), (2, 2, 2, 2))
    model = DenseModel(backbone, SegFormerHead(backbone.channels, 5, channels=16)).eval().double()
    image = torch.randn(1, 3, height, width, dtype=torch.float64)
    found = SlidingWindow(48, stride=stride, grid=1)(model, image)
    torch.testing.assert_close(found, brute_force_at_every_pixel(model, image, 48, stride), rtol=1e-9, atol=1e-12)
    assert SlidingWindow(48, stride=stride)(model, image).shape[-2:] == (-(-height // 4), -(-width // 4))


def test_a_window_may_weigh_its_middle_more():
    image = torch.randn(1, 2, 72, 96, dtype=torch.float64)

    def hann(rows, columns):
        return np.outer(*(np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2 for count in (rows, columns)))

    found = SlidingWindow(32, stride=20, blend="hann")(Quarters(), image)
    np.testing.assert_allclose(found[0].numpy(), brute_force(image, 32, 20, hann), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("blend", PROFILES)
def test_where_all_windows_agree_every_weighting_gives_their_answer(blend):
    found = SlidingWindow(16, stride=7, blend=blend)(Quarters(), torch.ones(2, 3, 48, 72))
    torch.testing.assert_close(found, torch.full((2, 3, 12, 18), 2.0))


@pytest.mark.parametrize("window", [8, 32, 48])
def test_any_stride_up_to_the_window_covers_every_pixel(window):
    for stride in range(1, window + 1):
        for length in (window, window + 4, 3 * window - 4, 100, 104):
            if length < window:
                continue
            covered = np.zeros(length, dtype=int)
            places = starts(length, window, stride)
            for start in places:
                assert 0 <= start <= length - window
                covered[start : start + window] += 1
            assert covered.min() >= 1, (length, window, stride)
            assert len(places) == max(length - window + stride - 1, 0) // stride + 1  # mmsegmentation's number


@pytest.mark.parametrize("stride", [600, [512, 513]])
def test_a_stride_beyond_the_window_is_refused(stride):
    with pytest.raises(UserError, match=r"stride \d+ leaves gaps between windows of 512; use a stride of at most 512"):
        SlidingWindow(512, stride=stride)


HEADS = {
    "segmentation": lambda channels: SegFormerHead(channels, 5, channels=16),
    "depth": lambda channels: GLPNHead(channels, max_depth=10.0, channels=16),
}


@pytest.fixture(scope="module", params=HEADS)
def model(request):
    torch.manual_seed(0)
    backbone = pvtseg.mit_b0()
    return DenseModel(backbone, HEADS[request.param](backbone.channels)).eval()


@torch.no_grad()
@pytest.mark.parametrize("window", [[64, 96], [128, 128]])
@pytest.mark.parametrize("blend", PROFILES)
def test_one_window_is_the_whole_image(model, window, blend):
    for height, width in ((64, 96), (61, 90)):
        image = torch.randn(2, 3, height, width)
        found = SlidingWindow(window, stride=window, blend=blend)(model, image)
        torch.testing.assert_close(found, Whole()(model, image), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_windows_go_through_the_model_in_batches_which_change_nothing(model):
    image = torch.randn(1, 3, 96, 96)
    one, three = (SlidingWindow(64, stride=32, batch_size=count)(model, image) for count in (1, 3))
    torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-5)
    quarters = Quarters()
    SlidingWindow(32, stride=32, batch_size=3)(quarters, image)
    assert quarters.seen == [(3, 3, 32, 32)] * 3


def test_the_means_are_float32_channels_last_and_where_they_are_wanted():
    image = torch.randn(1, 8, 64, 64, dtype=torch.bfloat16)
    found = SlidingWindow(32, stride=16, accumulate_on="cpu")(Quarters(), image)
    assert found.dtype == torch.float32
    assert found.device.type == "cpu"
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_a_head_that_answers_on_a_coarser_grid_is_brought_to_a_quarter():
    class Eighths:
        def answer(self, image):
            return F.avg_pool2d(image, 8)

    assert SlidingWindow(32, stride=20)(Eighths(), torch.randn(1, 3, 64, 72)).shape == (1, 3, 16, 18)


def test_a_class_for_the_image_has_no_windows():
    backbone = pvtseg.mit_b0()
    model: nn.Module = ImageModel(backbone, LinearHead(backbone.channels, 4)).eval()
    with pytest.raises(UserError, match="inference=whole"):
        SlidingWindow(32, stride=32)(model, torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 510, "stride": 100}, "window of 510.*multiple of 4"),
        ({"window": [32], "stride": 16}, r"inference\.window is \[32\]"),
        ({"window": 32, "stride": 0}, r"inference\.stride is 0"),
        ({"window": 32, "stride": 16, "blend": "round"}, "blend='round' is not known; use even, hann, gaussian"),
        ({"window": 32, "stride": 16, "grid": 3}, r"inference\.grid is 3; use 4, .* or 1"),
        ({"window": 32, "stride": 16, "batch_size": 0}, r"inference\.batch_size is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        SlidingWindow(**options)


def test_the_protocol_is_named():
    assert SlidingWindow(512, stride=[256, 384]).protocol == (
        "sliding window 512 x 512, stride 256 x 384, averaged every 4 pixels"
    )
    assert SlidingWindow(512, stride=256, blend="hann", grid=1).protocol.endswith("averaged with hann weights at every pixel")
