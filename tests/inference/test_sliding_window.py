"""Windows cover the image, and their mean is that of mmsegmentation's slide mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import pvtseg
from pvtseg.backbones.pvt_v2.pyramid import PyramidVisionTransformer
from pvtseg.errors import UserError
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.inference.blending import IMPORTANCE_MAPS
from pvtseg.inference.sliding_window import SlidingWindow, starts
from pvtseg.inference.whole import Whole
from pvtseg.model import Model
from pvtseg.tasks.segmentation import SegmentationPostProcess


def batch_of(image):
    size = tuple(image.shape[-2:])
    return {"image": image, "image_size": [size] * len(image), "views": [image], "size": [size] * len(image)}


@torch.no_grad()
def run(inference, model, image):
    (outputs,) = inference(model, batch_of(image))
    return outputs


class Quarters:
    """The mean color of each 4 x 4 pixels, plus that of the window, so that windows differ."""

    def __init__(self):
        self.seen = []

    def __call__(self, image, image_size=None):
        self.seen.append(tuple(image.shape))
        return F.avg_pool2d(image, 4) + image.mean(dim=(2, 3), keepdim=True)


def windows(height, width, window, stride):
    """Rows and columns of each window, as mmsegmentation's slide_inference has them."""
    for i in range(max(height - window + stride - 1, 0) // stride + 1):
        for j in range(max(width - window + stride - 1, 0) // stride + 1):
            bottom, right = min(i * stride + window, height), min(j * stride + window, width)
            top, left = max(bottom - window, 0), max(right - window, 0)
            yield slice(top, bottom), slice(left, right)


@torch.no_grad()
def brute_force(image, window, stride, weigh=lambda rows, columns: np.ones((rows, columns))):
    """mmsegmentation's slide mode, with outputs that are constant within 4 x 4 pixels."""
    _, channels, height, width = image.shape
    total, count = np.zeros((channels, height, width)), np.zeros((height, width))
    for rows, columns in windows(height, width, window, stride):
        output = Quarters()(image[:, :, rows, columns])
        weights = np.kron(weigh(*output.shape[-2:]), np.ones((4, 4)))
        total[:, rows, columns] += np.kron(output[0].numpy(), np.ones((1, 4, 4))) * weights
        count[rows, columns] += weights
    return (total / count)[:, ::4, ::4]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (100, 68), (48, 40), (20, 100)])
@pytest.mark.parametrize("stride", [32, 16, 12, 24])
def test_the_mean_is_that_of_brute_force(height, width, stride):
    image = torch.randn(1, 3, height, width, dtype=torch.float64)
    found = run(SlidingWindow(32, stride=stride), Quarters(), image)
    np.testing.assert_allclose(found[0].numpy(), brute_force(image, 32, stride), rtol=1e-10)


@torch.no_grad()
def brute_force_at_every_pixel(model, image, window, stride):
    """mmsegmentation's slide mode: outputs are upsampled to the window before the sum."""
    height, width = image.shape[-2:]
    total, count = 0.0, torch.zeros(height, width, dtype=image.dtype)
    for rows, columns in windows(height, width, window, stride):
        crop = image[:, :, rows, columns]
        fine = F.interpolate(model(crop), size=crop.shape[-2:], mode="bilinear", align_corners=False)
        total = total + F.pad(fine, (columns.start, width - columns.stop, rows.start, height - rows.stop))
        count[rows, columns] += 1
    return total / count


def tiny(make_head):
    torch.manual_seed(0)
    backbone = PyramidVisionTransformer((8, 16, 20, 32), (1, 1, 1, 1), (2, 2, 2, 2))
    return Model(backbone, make_head(backbone.channels)).eval().double()


@pytest.fixture(scope="module")
def segmenter():
    model = tiny(lambda channels: SegFormerHead(channels, 5, channels=16))
    nn.init.normal_(model.head.classify.weight)  # so that neighboring pixels differ in their class
    return model


SIZES = [(61, 90), (100, 68), (33, 129), (34, 40)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("window", "stride"), [(48, 48), (48, 32), (48, 21), (50, 34)])
def test_on_a_grid_of_pixels_it_is_mmsegmentations_slide_mode_to_the_digit(segmenter, window, stride, height, width):
    image = torch.randn(1, 3, height, width, dtype=torch.float64)
    found = run(SlidingWindow(window, stride=stride, grid=1), segmenter, image)
    expected = brute_force_at_every_pixel(segmenter, image, window, stride)
    if found.shape != expected.shape:  # one window keeps the head's own resolution
        assert height <= window
        assert width <= window
        found = F.interpolate(found, size=(height, width), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def lies_on_the_grid(length, window, stride):
    """Whether all windows along a side begin and end at multiples of 4 pixels."""
    places = [(places.start, places.stop) for places, _ in windows(length, 1, window, stride)]
    return all(end % 4 == 0 for place in places for end in place)


def near_a_border(length, window, stride):
    """The pixels along a side within 4 pixels of a window border inside of the image."""
    pixels = torch.arange(length) + 0.5
    ends = {end for places, _ in windows(length, 1, window, stride) for end in (places.start, places.stop)} - {
        0,
        length,
    }
    return torch.stack([torch.zeros(length, dtype=torch.bool), *((pixels - end).abs() < 4 for end in ends)]).any(dim=0)


@pytest.mark.parametrize(
    ("window", "stride", "height", "width"),
    [
        (128, 85, 200, 260),
        (128, 85, 201, 262),
        (128, 85, 213, 300),
        (128, 86, 214, 300),
        (48, 21, 61, 90),
        (48, 34, 100, 82),
        (48, 32, 100, 68),
        (128, 84, 212, 296),
        (50, 34, 84, 118),
        (512, 341, 512, 853),
        (512, 341, 515, 700),
    ],
)
def test_on_the_default_grid_labels_are_those_of_mmsegmentations_slide_mode(segmenter, window, stride, height, width):
    """Where all windows lie on the grid, 4 pixels around their borders may differ."""
    image = torch.randn(1, 3, height, width, dtype=torch.float64)
    outputs = run(SlidingWindow(window, stride=stride), segmenter, image)
    on_grid = lies_on_the_grid(height, window, stride) and lies_on_the_grid(width, window, stride)
    assert outputs.shape[-2:] == ((height // 4, width // 4) if on_grid else (height, width))
    (labels,) = SegmentationPostProcess()([outputs], [(height, width)])
    expected = brute_force_at_every_pixel(segmenter, image, window, stride)[0].argmax(dim=0)
    rows, columns = (near_a_border(length, window, stride) & on_grid for length in (height, width))
    may_differ = rows[:, None] | columns[None, :]
    assert may_differ.float().mean() < 0.5
    assert torch.equal(labels[~may_differ], expected[~may_differ])
    assert len(expected.unique()) > 1


@pytest.mark.parametrize(("height", "width"), [(200, 260), (201, 263), (128, 261)])
def test_with_a_window_of_128_and_a_stride_of_85_all_labels_are_those_of_mmsegmentation(segmenter, height, width):
    image = torch.randn(1, 3, height, width, dtype=torch.float64)
    (labels,) = SegmentationPostProcess()([run(SlidingWindow(128, stride=85), segmenter, image)], [(height, width)])
    expected = brute_force_at_every_pixel(segmenter, image, 128, 85)[0].argmax(dim=0)
    assert torch.equal(labels, expected)


@pytest.mark.parametrize("grid", [1, 4])
@pytest.mark.parametrize(("height", "width"), [(83, 118), (50, 90), (116, 84)])
def test_outputs_at_every_pixel_are_averaged_there_whatever_the_window(grid, height, width):
    """The head rounds a side of 50 pixels up to 52, so that windows do not line up."""
    model = tiny(lambda channels: GLPNHead(channels, max_depth=10.0, channels=8))
    image = torch.randn(1, 3, height, width, dtype=torch.float64)
    with torch.no_grad():
        assert model(image[..., :50, :50]).shape[-2:] == (52, 52)
    found = run(SlidingWindow(50, stride=34, grid=grid), model, image)
    expected = brute_force_at_every_pixel(model, image, 50, 34)
    torch.testing.assert_close(found, expected.to(found), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("blend", "weigh"),
    [
        ("hann", lambda place, count: np.sin(np.pi * (place + 0.5) / count) ** 2),
        (
            "gaussian",
            lambda place, count: np.maximum(np.exp(-0.5 * ((place + 0.5 - count / 2) / (count / 8)) ** 2), 1e-3),
        ),
    ],
)
def test_the_middle_of_a_window_may_have_more_weight(blend, weigh):
    image = torch.randn(1, 2, 72, 96, dtype=torch.float64)

    def weights(rows, columns):
        return np.outer(*(weigh(np.arange(count), count) for count in (rows, columns)))

    found = run(SlidingWindow(32, stride=20, blend=blend), Quarters(), image)
    np.testing.assert_allclose(found[0].numpy(), brute_force(image, 32, 20, weights), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("blend", IMPORTANCE_MAPS)
def test_where_all_windows_agree_every_blend_gives_their_outputs(blend):
    found = run(SlidingWindow(16, stride=8, blend=blend), Quarters(), torch.ones(2, 3, 48, 72))
    torch.testing.assert_close(found, torch.full((2, 3, 12, 18), 2.0))


@pytest.mark.parametrize("window", [8, 32, 48, 51])
def test_any_stride_up_to_the_window_covers_every_pixel(window):
    for stride in range(1, window + 1):
        for length in (window, window + 3, 3 * window - 4, 100, 105):
            covered = np.zeros(length, dtype=int)
            begin = starts(length, window, stride)
            for start in begin:
                assert 0 <= start <= length - window
                covered[start : start + window] += 1
            assert covered.min() >= 1, (length, window, stride)
            assert begin == [rows.start for rows, _ in windows(length, 1, window, stride)]


@pytest.mark.parametrize("stride", [600, [512, 513]])
def test_a_stride_beyond_the_window_is_refused(stride):
    with pytest.raises(
        UserError, match=r"inference\.stride=\d+ leaves gaps between windows of 512; use at most 512\.$"
    ):
        SlidingWindow(512, stride=stride)


HEADS = {
    "segmentation": lambda channels: SegFormerHead(channels, 5, channels=16),
    "depth": lambda channels: GLPNHead(channels, max_depth=10.0, channels=16),
}


@pytest.fixture(scope="module", params=HEADS)
def model(request):
    torch.manual_seed(0)
    backbone = pvtseg.mit_b0()
    return Model(backbone, HEADS[request.param](backbone.channels)).eval()


@pytest.mark.parametrize("window", [[64, 96], [128, 128]])
@pytest.mark.parametrize("blend", IMPORTANCE_MAPS)
def test_one_window_is_the_whole_image(model, window, blend):
    for height, width in ((64, 96), (61, 90)):
        image = torch.randn(2, 3, height, width)
        found = run(SlidingWindow(window, stride=window, blend=blend), model, image)
        torch.testing.assert_close(found, run(Whole(), model, image), rtol=1e-4, atol=1e-5)


def test_windows_go_through_the_model_in_batches_which_change_nothing(model):
    image = torch.randn(1, 3, 96, 96)
    one, three = (run(SlidingWindow(64, stride=32, batch_size=count), model, image) for count in (1, 3))
    torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-5)
    quarters = Quarters()
    run(SlidingWindow(32, stride=32, batch_size=3), quarters, image)
    assert quarters.seen == [(3, 3, 32, 32)] * 3


def test_several_images_are_averaged_each_for_itself():
    images = torch.randn(3, 3, 70, 90, dtype=torch.float64)
    inference = SlidingWindow(32, stride=20, batch_size=2)
    together = run(inference, Quarters(), images)
    alone = torch.cat([run(inference, Quarters(), image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_the_means_are_float32_channels_last_and_on_the_device_of_the_option():
    image = torch.randn(1, 8, 64, 64, dtype=torch.bfloat16)
    found = run(SlidingWindow(32, stride=16, accumulate_on="cpu"), Quarters(), image)
    assert found.dtype == torch.float32
    assert found.device.type == "cpu"
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_outputs_that_are_coarser_than_the_grid_are_upsampled_to_it():
    def eighths(image, image_size=None):
        return F.avg_pool2d(image, 8)

    assert run(SlidingWindow(32, stride=20), eighths, torch.randn(1, 3, 64, 72)).shape == (1, 3, 16, 18)


def test_outputs_that_are_finer_than_the_grid_stay_as_fine():
    def halves(image, image_size=None):
        return F.avg_pool2d(image, 2)

    image = torch.randn(1, 3, 64, 72)
    torch.testing.assert_close(run(SlidingWindow(32, stride=20), halves, image), halves(image))


def test_outputs_without_sides_have_no_windows():
    backbone = pvtseg.mit_b0()
    classifier = Model(backbone, LinearHead(backbone.channels, 4)).eval()
    with pytest.raises(UserError, match=r"the model's outputs are of shape \(4, 4\); use inference=whole"):
        run(SlidingWindow(32, stride=32), classifier, torch.randn(1, 3, 64, 64))
    with pytest.raises(UserError, match=r"the model's outputs are a dict; use inference=whole"):
        run(SlidingWindow(32, stride=32), lambda image, _=None: {"segmentation": image}, torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": [32], "stride": 16}, r"inference\.window is \[32\]; expected one or two sides in pixels"),
        ({"window": 32, "stride": 0}, r"inference\.stride is 0; expected one or two sides"),
        ({"window": 32, "stride": 16, "blend": "round"}, r"inference\.blend is 'round'; use uniform, hann, gaussian\."),
        ({"window": 32, "stride": 16, "grid": 3}, r"inference\.grid is 3; use 4, .* or 1"),
        ({"window": 32, "stride": 16, "grid": 2}, r"inference\.grid is 2; use 4, .* or 1"),
        ({"window": 32, "stride": 16, "batch_size": 0}, r"inference\.batch_size is 0; use 1 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        SlidingWindow(**options)


def test_the_protocol_names_window_stride_weights_and_grid():
    assert SlidingWindow(512, stride=[256, 384]).protocol == (
        "sliding window 512 x 512, stride 256 x 384, averaged every 4 pixels"
    )
    assert SlidingWindow(512, stride=256, blend="hann", grid=1).protocol.endswith(
        "averaged with hann weights at every pixel"
    )
