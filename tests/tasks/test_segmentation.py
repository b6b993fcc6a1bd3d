"""Semantic segmentation: from logits to class indices, and their picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pvtseg.tasks.segmentation import SegmentationPostProcess, SegmentationVisualizer

IMAGE = np.full((20, 30, 3), 100, dtype=np.uint8)
RED, BLUE = (200, 0, 0), (0, 0, 250)


def upsampled(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def test_each_pixel_gets_its_likeliest_class_at_the_size_of_each_image():
    logits = torch.randn(3, 7, 9, 12, dtype=torch.float64)
    sizes = [(36, 48), (65, 97), (9, 12)]
    maps = SegmentationPostProcess()([logits], sizes)
    for index, (found, size) in enumerate(zip(maps, sizes, strict=True)):
        assert found.dtype == torch.int64
        assert torch.equal(found, upsampled(logits[index, None], size).argmax(dim=1)[0])


def test_of_several_views_the_probabilities_are_averaged_at_every_pixel():
    views = [3 * torch.randn(2, 5, *size, dtype=torch.float64) for size in ((6, 8), (9, 12), (12, 16))]
    sizes = [(48, 64), (33, 50)]
    maps = SegmentationPostProcess()(views, sizes)
    for index, (found, size) in enumerate(zip(maps, sizes, strict=True)):
        mean = sum(upsampled(view[index, None], size).softmax(dim=1) for view in views) / 3
        assert torch.equal(found, mean.argmax(dim=1)[0])
        of_mean_logits = sum(upsampled(view[index, None], size) for view in views).argmax(dim=1)[0]
        assert not torch.equal(found, of_mean_logits)


def test_a_segmentation_map_takes_its_colors_over_the_image():
    prediction = np.zeros((20, 30), dtype=np.int64)
    prediction[:, 15:] = 1
    picture = SegmentationVisualizer(["a", "b"], [RED, BLUE], opacity=0.5)(prediction, IMAGE)
    assert picture[0, 0].tolist() == [150, 50, 50]
    assert picture[0, 20].tolist() == [50, 50, 175]


@pytest.mark.parametrize("ignored", [255, -1, 2])
def test_pixels_that_are_no_class_stay_unchanged(ignored):
    prediction = np.full((20, 30), ignored, dtype=np.int64)
    assert np.array_equal(SegmentationVisualizer(["a", "b"], [RED, BLUE])(prediction, IMAGE), IMAGE)


def test_a_target_of_bytes_is_drawn_as_a_prediction_is():
    visualizer = SegmentationVisualizer(["a", "b"], [RED, BLUE])
    target = np.tile(np.array([0, 1, 255], dtype=np.uint8), (20, 10))
    assert np.array_equal(visualizer(target, IMAGE), visualizer(target.astype(np.int64), IMAGE))


def test_the_legend_names_every_color():
    assert SegmentationVisualizer(["a", "b"], [RED, BLUE]).legend() == [("a", RED), ("b", BLUE)]


def test_the_legend_of_some_predictions_names_the_classes_that_they_show():
    visualizer = SegmentationVisualizer(["a", "b", "c"], [RED, BLUE, RED])
    assert visualizer.legend([np.array([[1, 255]]), np.array([[2, -1]])]) == [("b", BLUE), ("c", RED)]
    assert visualizer.legend([]) == []
