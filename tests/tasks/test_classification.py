"""Image classification: from logits to probabilities, and the class name on the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pvtseg.tasks.classification import ClassificationPostProcess, ClassificationVisualizer

IMAGE = np.full((20, 30, 3), 100, dtype=np.uint8)
NAMES = ["ant", "bee", "cow"]


def test_each_image_has_the_softmax_of_its_logits():
    logits = torch.randn(3, 6)
    found = ClassificationPostProcess()([logits], [(20, 30), (4, 5), (1, 1)])
    assert [probabilities.shape for probabilities in found] == [(6,)] * 3
    torch.testing.assert_close(torch.stack(found), logits.exp() / logits.exp().sum(dim=1, keepdim=True))


def test_the_probabilities_of_several_views_are_averaged():
    views = [3 * torch.randn(2, 6) for _ in range(3)]
    found = torch.stack(ClassificationPostProcess()(views, [(20, 30)] * 2))
    torch.testing.assert_close(found, torch.stack([logits.softmax(dim=1) for logits in views]).mean(dim=0))


@pytest.mark.parametrize(
    ("logits", "probabilities"),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64, torch.float64)],
)
def test_probabilities_are_float32_or_more(logits, probabilities):
    assert ClassificationPostProcess()([torch.zeros(1, 6, dtype=logits)], [(20, 30)])[0].dtype == probabilities


@pytest.mark.parametrize("prediction", [1, np.int64(1), np.array(1), np.array([0.1, 2.0, -3.0])])
def test_the_class_name_is_written_onto_the_image(prediction):
    visualizer = ClassificationVisualizer(NAMES)
    picture = visualizer(prediction, IMAGE)
    assert np.array_equal(picture, visualizer(1, IMAGE))
    assert not np.array_equal(picture, visualizer(0, IMAGE))
    assert not np.array_equal(picture, IMAGE)
    assert (picture.shape, picture.dtype) == (IMAGE.shape, np.uint8)
    assert (IMAGE == 100).all()


@pytest.mark.parametrize("index", [-1, 3, 255])
def test_a_target_that_is_no_class_has_no_class_name(index):
    visualizer = ClassificationVisualizer(NAMES)
    picture = visualizer(index, IMAGE)
    assert not any(np.array_equal(picture, visualizer(known, IMAGE)) for known in range(3))


def test_a_class_name_needs_no_legend():
    assert ClassificationVisualizer(NAMES).legend() == []
