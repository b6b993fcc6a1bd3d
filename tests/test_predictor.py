"""A predictor against transformers' processor, model and post-processing on photos, and
on its own.
"""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    GLPNConfig,
    GLPNForDepthEstimation,
    GLPNImageProcessor,
    PvtImageProcessor,
    PvtV2Config,
    PvtV2ForImageClassification,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SegformerImageProcessor,
)

from pvtseg.errors import UserError
from pvtseg.load import load_model, load_predictor, save_model


def saved(model, processor, folder):
    """Random weights that answer with more than one class: the last layer's are made large."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.1) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, AutoImageProcessor.from_pretrained(folder), load_predictor(folder)


@torch.inference_mode()
@pytest.mark.parametrize(
    "processor",
    [
        SegformerImageProcessor(),
        SegformerImageProcessor(
            size={"height": 192, "width": 320}, resample=3, image_mean=[0.5] * 3, image_std=[0.25] * 3
        ),
        SegformerImageProcessor(do_resize=False),
        SegformerImageProcessor(size={"shortest_edge": 160, "longest_edge": 400}),
    ],
    ids=["512x512", "other sizes", "no resize", "shortest edge"],
)
def test_labels_are_those_of_transformers(processor, photo, tmp_path):
    model = SegformerForSemanticSegmentation(SegformerConfig(num_labels=20))
    theirs, processor, predictor = saved(model, processor, tmp_path)
    outputs = theirs(**processor(photo, return_tensors="pt"))
    wanted = processor.post_process_semantic_segmentation(outputs, target_sizes=[photo.size[::-1]])[0].numpy()
    labels = predictor(photo)
    assert labels.shape == wanted.shape == photo.size[::-1]
    assert len(np.unique(wanted)) > 2
    assert np.mean(labels == wanted) >= 0.999


@torch.inference_mode()
def test_depth_is_that_of_transformers(photo, tmp_path):
    theirs, processor, predictor = saved(GLPNForDepthEstimation(GLPNConfig()), GLPNImageProcessor(), tmp_path)
    outputs = theirs(**processor(photo, return_tensors="pt"))
    wanted = processor.post_process_depth_estimation(outputs, target_sizes=[photo.size[::-1]])[0][
        "predicted_depth"
    ].numpy()
    depth = predictor(photo)
    assert depth.shape == wanted.shape == photo.size[::-1]
    assert depth.dtype == np.float32
    assert wanted.std() > 0.01
    assert np.max(np.abs(depth - wanted) / wanted) < 1e-3


@torch.inference_mode()
@pytest.mark.parametrize(
    "processor",
    [
        PvtImageProcessor(),
        PvtImageProcessor(
            size={"shortest_edge": 256},
            do_center_crop=True,
            crop_size={"height": 224, "width": 224},
            default_to_square=False,
        ),
    ],
    ids=["squashed", "center crop"],
)
def test_probabilities_are_those_of_transformers(processor, photo, tmp_path):
    model = PvtV2ForImageClassification(PvtV2Config(num_labels=7))
    theirs, processor, predictor = saved(model, processor, tmp_path)
    wanted = theirs(**processor(photo, return_tensors="pt")).logits.softmax(dim=-1)[0].numpy()
    probabilities = predictor(photo)
    assert probabilities.shape == (7,)
    assert np.argmax(probabilities) == np.argmax(wanted)
    assert np.abs(probabilities - wanted).max() < 1e-4


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmenter")
    SegformerForSemanticSegmentation(SegformerConfig(num_labels=3)).save_pretrained(folder)
    SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)


def test_path_picture_and_array_give_the_same(segmenter, pixels, tmp_path):
    predictor = load_predictor(segmenter)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    of_array = predictor(pixels)
    assert of_array.shape == (45, 70)
    assert of_array.dtype == np.int64
    assert np.array_equal(predictor(Image.fromarray(pixels)), of_array)
    assert np.array_equal(predictor(tmp_path / "x.png"), of_array)
    assert np.array_equal(predictor(str(tmp_path / "x.png")), of_array)


def test_a_photo_with_an_exif_rotation_is_predicted_upright(segmenter, pixels):
    sideways = Image.fromarray(pixels)
    sideways.getexif()[0x0112] = 6  # the camera was turned: width and height change places
    assert load_predictor(segmenter)(sideways).shape == (70, 45)


def test_our_own_layout_predicts_the_same(segmenter, pixels, tmp_path):
    save_model(load_model(segmenter), tmp_path)
    assert np.array_equal(load_predictor(tmp_path)(pixels), load_predictor(segmenter)(pixels))


@pytest.mark.parametrize(
    ("image", "seen"),
    [
        (np.zeros((4, 4), np.uint8), r"an array \(4, 4\) of uint8"),
        (np.zeros((4, 4, 3), np.float32), "of float32"),
        (3, "of type int"),
    ],
)
def test_what_is_no_image_is_refused(image, seen, segmenter):
    with pytest.raises(UserError, match=seen):
        load_predictor(segmenter)(image)
