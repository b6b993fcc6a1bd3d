"""Test-time augmentation is the mean that one writes by hand."""

import pytest
import torch
from torch.nn import functional as F

import pvtseg
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.inference.flip import Flip
from pvtseg.inference.multi_scale_flip import MultiScaleFlip
from pvtseg.inference.sliding_window import SlidingWindow
from pvtseg.inference.whole import Whole
from pvtseg.interfaces import UserError
from pvtseg.model import DenseModel, ImageModel

pytestmark = pytest.mark.usefixtures("_without_gradients")


@pytest.fixture
def _without_gradients():
    with torch.no_grad():
        yield


def model_of(make_model, make_head):
    torch.manual_seed(0)
    backbone = pvtseg.mit_b0()
    return make_model(backbone, make_head(backbone.channels)).eval()


@pytest.fixture(scope="module")
def segmenter():
    model = model_of(DenseModel, lambda channels: SegFormerHead(channels, 5, channels=16))
    with torch.no_grad():
        model.head.classify.weight.mul_(20)  # so that the classes' probabilities differ
    return model


@pytest.fixture(scope="module")
def depth_model():
    return model_of(DenseModel, lambda channels: GLPNHead(channels, max_depth=10.0, channels=16))


@pytest.fixture(scope="module")
def classifier():
    return model_of(ImageModel, lambda channels: LinearHead(channels, 4))


def by_hand(model, image, ratios, flip):
    """mmsegmentation's way: every answer brought to the image's size, softmax at every pixel, their mean."""
    means = []
    for ratio in ratios:
        size = [-(-int(side * ratio) // 32) * 32 for side in image.shape[-2:]]
        scaled = F.interpolate(image, size=size, mode="bilinear", align_corners=False)
        for mirror in (False, True) if flip else (False,):
            logits = model.answer(scaled.flip(-1)).flip(-1) if mirror else model.answer(scaled)
            fine = F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)
            means.append(fine.softmax(dim=1))
    return torch.stack(means).mean(dim=0)


@pytest.mark.parametrize("flip", [True, False])
def test_at_stride_one_it_is_the_mean_of_the_probabilities_of_every_pixel(segmenter, flip):
    image = torch.randn(1, 3, 64, 80)
    found = MultiScaleFlip(Whole(), ratios=[0.5, 1.0, 1.5], flip=flip, stride=1)(segmenter, image)
    torch.testing.assert_close(found, by_hand(segmenter, image, [0.5, 1.0, 1.5], flip), rtol=1e-4, atol=1e-6)


def test_at_stride_four_nearly_every_pixel_has_the_same_class(segmenter):
    image = F.interpolate(torch.randn(1, 3, 6, 8), size=(96, 128), mode="bicubic")
    fine, coarse = (MultiScaleFlip(Whole(), ratios=[0.5, 1.0], stride=stride)(segmenter, image) for stride in (1, 4))
    assert coarse.shape == (1, 5, 24, 32)
    coarse = F.interpolate(coarse, size=(96, 128), mode="bilinear", align_corners=False)
    assert len(fine.argmax(dim=1).unique()) > 1
    assert (fine.argmax(dim=1) == coarse.argmax(dim=1)).float().mean() > 0.95


def test_probabilities_add_up_to_one(segmenter):
    found = MultiScaleFlip(Whole())(segmenter, torch.randn(1, 3, 50, 70))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(1, 13, 18))


def test_the_answer_for_the_mirror_image_is_the_mirror_image_of_the_answer(segmenter, depth_model):
    image = torch.randn(1, 3, 64, 96)
    for asked, model in ((MultiScaleFlip(Whole(), ratios=[1.0]), segmenter), (Flip(Whole()), depth_model)):
        torch.testing.assert_close(asked(model, image.flip(-1)), asked(model, image).flip(-1))
        assert not torch.equal(Whole()(model, image.flip(-1)), Whole()(model, image).flip(-1))


def test_depth_is_the_mean_of_both_sides_in_metres(depth_model):
    image = torch.randn(1, 3, 64, 96)
    expected = (depth_model.answer(image) + depth_model.answer(image.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(Flip(Whole())(depth_model, image), expected)


def test_a_class_of_the_image_has_no_sides(classifier):
    image = torch.randn(2, 3, 64, 64)
    expected = (classifier.answer(image) + classifier.answer(image.flip(-1))) / 2
    torch.testing.assert_close(Flip(Whole())(classifier, image), expected)


def test_each_scale_may_be_asked_in_windows(segmenter):
    image = torch.randn(1, 3, 64, 64)
    whole, windows = (
        MultiScaleFlip(each, ratios=[0.5, 1.0])(segmenter, image) for each in (Whole(), SlidingWindow(64, stride=64))
    )
    torch.testing.assert_close(whole, windows, rtol=1e-4, atol=1e-6)


def test_scales_are_for_pixels_with_classes(depth_model, classifier):
    for model in (depth_model, classifier):
        with pytest.raises(UserError, match="use inference=flip or whole"):
            MultiScaleFlip(Whole())(model, torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize("options", [{"ratios": []}, {"ratios": [0.0, 1.0]}, {"align": 0}, {"stride": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(UserError, match=r"inference\."):
        MultiScaleFlip(Whole(), **options)


def test_the_protocol_names_what_was_done():
    assert Flip(Whole()).protocol == "whole image, averaged with its mirror image"
    assert MultiScaleFlip(SlidingWindow(64, stride=48), ratios=[0.5, 1]).protocol == (
        "sliding window 64 x 64, stride 48 x 48, at ratios 0.5, 1 with mirror images, probabilities averaged every 4 pixels"
    )
