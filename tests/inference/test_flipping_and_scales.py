"""Test-time augmentation is the mean that one writes by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import pvtseg
from pvtseg.data.normalize import Normalize
from pvtseg.data.transforms.evaluation import KeepRatio
from pvtseg.errors import UserError
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.inference.flip import Flip
from pvtseg.inference.multi_scale_flip import MultiScaleFlip
from pvtseg.inference.sliding_window import SlidingWindow
from pvtseg.inference.whole import Whole
from pvtseg.model import Heads, Model
from pvtseg.tasks.segmentation import SegmentationPostProcess

pytestmark = pytest.mark.usefixtures("_without_gradients")


@pytest.fixture
def _without_gradients():
    with torch.no_grad():
        yield


def model_of(make_head):
    torch.manual_seed(0)
    backbone = pvtseg.mit_b0()
    return Model(backbone, make_head(backbone.channels)).eval()


def batch_of(image, views=None):
    size = tuple(image.shape[-2:])
    return {"image": image, "image_size": [size] * len(image), "views": views or [image], "size": [size] * len(image)}


def run(inference, model, image):
    (outputs,) = inference(model, batch_of(image))
    return outputs


@pytest.fixture(scope="module")
def segmenter():
    model = model_of(lambda channels: SegFormerHead(channels, 5, channels=16))
    with torch.no_grad():
        model.head.classify.weight.mul_(20)  # so that the classes' probabilities differ
    return model


@pytest.fixture(scope="module")
def depth_model():
    return model_of(lambda channels: GLPNHead(channels, max_depth=10.0, channels=16))


@pytest.fixture(scope="module")
def classifier():
    return model_of(lambda channels: LinearHead(channels, 4))


NORMALIZE = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
RATIOS = (0.5, 0.75, 1.25)


def as_input(image):
    return NORMALIZE(torch.from_numpy(image).permute(2, 0, 1)[None])


def photo(height, width):
    noise = np.random.default_rng(0).integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def published(model, image, base_size, ratios, flip, *, full_size=False):
    """mmsegmentation's protocol with OpenCV and torch alone: mean probabilities (K, H,
    W).

    Resize the original so that it fits into base_size * ratio. Stretch each side up to
    a multiple of 32. Normalize and run the model. Upsample the logits to the original's
    size, for full_size by way of the resized image's. Softmax, flip back, mean.
    """
    height, width = image.shape[:2]
    long, short = base_size
    means = []
    for ratio in ratios:
        scale = min(int(long * ratio) / max(height, width), int(short * ratio) / min(height, width))
        scaled = cv2.resize(
            image, (int(width * scale + 0.5), int(height * scale + 0.5)), interpolation=cv2.INTER_LINEAR
        )
        aligned = [math.ceil(side / 32) * 32 for side in scaled.shape[:2]]
        scaled = cv2.resize(scaled, aligned[::-1], interpolation=cv2.INTER_LINEAR)
        for flipped in (False, True) if flip else (False,):
            seen = scaled[:, ::-1] if flipped else scaled
            seen = (seen / np.float32(255) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
            logits = model(torch.from_numpy(seen.astype(np.float32)).permute(2, 0, 1)[None])
            if full_size:
                logits = F.interpolate(logits, size=aligned, mode="bilinear", align_corners=False)
            p = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False).softmax(dim=1)
            means.append(p.flip(-1) if flipped else p)
    return torch.stack(means).mean(dim=0)[0]


def assert_likeliest(labels, probabilities):
    """The labels are the likeliest classes; of two that rounding alone tells apart, either."""
    found = probabilities.gather(0, labels[None])[0]
    assert (probabilities.max(dim=0).values - found).max() < 1e-5


@pytest.mark.parametrize(("flip", "full_size"), [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize(("height", "width"), [(97, 61), (50, 233), (130, 131)])
def test_labels_are_those_of_the_published_protocol(segmenter, height, width, flip, full_size):
    image = photo(height, width)
    transform = KeepRatio((256, 64), align=32)
    views = [as_input(transform.at(ratio)(image=image)["image"]) for ratio in RATIOS]
    inference = MultiScaleFlip(Whole(full_size=full_size), ratios=RATIOS, flip=flip)
    outputs = inference(segmenter, batch_of(as_input(transform(image=image)["image"]), views))
    (found,) = SegmentationPostProcess()(outputs, [(height, width)])
    expected = published(segmenter, image, (256, 64), RATIOS, flip, full_size=full_size)
    assert_likeliest(found, expected)
    assert len(found.unique()) > 1
    assert not torch.equal(found, published(segmenter, image, (256, 64), [1.0], False).argmax(dim=0))


def test_the_outputs_for_the_flipped_image_are_the_flipped_outputs(segmenter, depth_model):
    image = torch.randn(1, 3, 64, 96)
    for model in (segmenter, depth_model):
        torch.testing.assert_close(run(Flip(Whole()), model, image.flip(-1)), run(Flip(Whole()), model, image).flip(-1))
        assert not torch.equal(run(Whole(), model, image.flip(-1)), run(Whole(), model, image).flip(-1))


def test_depth_is_the_mean_of_both_sides_in_meters(depth_model):
    image = torch.randn(1, 3, 64, 96)
    expected = (depth_model(image) + depth_model(image.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(run(Flip(Whole()), depth_model, image), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_adabins_clips_both_sides_and_aligns_the_corners(depth_model, stride):
    def coarse(image, image_size=None):
        """Meters at a fraction of the image's size, some of them beyond the range."""
        return 5 + 400 * (depth_model(image)[..., ::stride, ::stride] - 5)

    image = torch.randn(2, 3, 64, 96)
    one, other = (coarse(seen).numpy() for seen in (image, torch.from_numpy(image.numpy()[..., ::-1].copy())))
    assert one.min() < 1e-3 < 10 < one.max()
    mean = 0.5 * (np.clip(one, 1e-3, 10) + np.clip(other, 1e-3, 10)[..., ::-1])
    expected = F.interpolate(torch.from_numpy(mean), size=(64, 96), mode="bilinear", align_corners=True)
    found = run(Flip(Whole(), clip=(1e-3, 10.0), align_corners=True), coarse, image)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(run(Flip(Whole(), align_corners=True), coarse, image), expected)


def test_class_logits_have_no_sides(classifier):
    image = torch.randn(2, 3, 64, 64)
    expected = (classifier(image) + classifier(image.flip(-1))) / 2
    torch.testing.assert_close(run(Flip(Whole()), classifier, image), expected)


def test_the_outputs_of_several_heads_are_flipped_each_as_its_kind(segmenter, classifier):
    heads = Heads({"segmentation": segmenter.head, "classification": classifier.head})
    image = torch.randn(1, 3, 64, 96)
    found = run(Flip(Whole()), Model(segmenter.backbone, heads).eval(), image)
    assert found.keys() == {"segmentation", "classification"}
    for name, outputs in found.items():
        alone = Model(segmenter.backbone, heads[name]).eval()
        torch.testing.assert_close(outputs, run(Flip(Whole()), alone, image))


def test_outputs_that_are_no_maps_cannot_be_flipped_back():
    boxes = torch.zeros(1, 100, 4)
    with pytest.raises(
        UserError, match=r"outputs of shape \(1, 100, 4\) cannot be flipped back; use inference=whole\.$"
    ):
        run(Flip(Whole()), lambda image, image_size: boxes, torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("size", [(61, 90), (64, 96)])
def test_full_size_upsamples_the_outputs_to_the_image(segmenter, size):
    image = torch.randn(2, 3, *size)
    expected = F.interpolate(segmenter(image), size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(run(Whole(full_size=True), segmenter, image), expected)
    torch.testing.assert_close(run(Whole(), segmenter, image), segmenter(image))


def test_the_whole_image_comes_with_the_sizes_of_the_images_in_it():
    seen = []

    def model(image, image_size):
        seen.append(image_size)
        return image

    batch = {"image": torch.zeros(2, 3, 8, 8), "image_size": [(8, 5), (6, 8)], "views": [], "size": [(8, 5), (6, 8)]}
    Whole()(model, batch)
    assert seen == [[(8, 5), (6, 8)]]


def views_at(ratios, size=(64, 96)):
    return [torch.randn(1, 3, *(int(side * ratio) for side in size)) for ratio in ratios]


def test_each_scale_may_be_seen_in_windows(segmenter):
    views = views_at([0.5, 1.0], (64, 64))
    whole, windows = (
        MultiScaleFlip(each, ratios=[0.5, 1.0])(segmenter, batch_of(views[1], views))
        for each in (Whole(), SlidingWindow(64, stride=64))
    )
    assert [outputs.shape[-2:] for outputs in whole] == [(8, 8), (8, 8), (16, 16), (16, 16)]
    torch.testing.assert_close(whole, windows, rtol=1e-4, atol=1e-6)


def test_scales_are_for_pixels_with_classes(depth_model, classifier):
    for model in (depth_model, classifier):
        with pytest.raises(UserError, match=r"use inference=flip or inference=whole\.$"):
            run(MultiScaleFlip(Whole(), ratios=[1.0]), model, torch.randn(1, 3, 64, 96))


def test_a_batch_with_another_number_of_views_is_refused(segmenter):
    with pytest.raises(UserError, match=r"was given 1 views for 2 ratios; expected one view at each ratio"):
        run(MultiScaleFlip(Whole(), ratios=[0.5, 1.0]), segmenter, torch.randn(1, 3, 64, 64))


def test_the_inference_of_each_side_has_one_scale():
    with pytest.raises(UserError, match=r"inference\.each works at several scales; use inference=multi_scale_flip"):
        Flip(MultiScaleFlip(Whole()))


def test_only_multiple_scales_want_views_of_the_image():
    assert MultiScaleFlip(Whole(), ratios=[0.5, 1]).ratios == (0.5, 1)
    assert Whole.ratios is None
    assert Flip.ratios is None
    assert SlidingWindow.ratios is None


@pytest.mark.parametrize("clip", [[10.0, 0.001], [1.0]])
def test_a_range_that_is_none_is_refused(clip):
    with pytest.raises(UserError, match=r"inference\.clip is \[.*'inference\.clip=\[0\.001,10\]', or null\.$"):
        Flip(Whole(), clip=clip)


def test_the_protocol_names_what_was_done():
    assert Whole(full_size=True).protocol == "whole image, logits upsampled to it first"
    assert Flip(Whole()).protocol == "whole image, averaged with its flipped image"
    assert Flip(Whole(), clip=[0.001, 10], align_corners=True).protocol == (
        "whole image, averaged with its flipped image, each clipped to 0.001 .. 10, upsampled with align_corners"
    )
    assert MultiScaleFlip(SlidingWindow(64, stride=48), ratios=[0.5, 1]).protocol == (
        "sliding window 64 x 64, stride 48 x 48, averaged every 4 pixels, "
        "at ratios 0.5, 1 with flipped images, probabilities averaged at every pixel"
    )
