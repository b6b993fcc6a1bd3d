"""Several tasks on one encoder: what each of them has by itself, by name."""

from __future__ import annotations

import numpy as np
import torch

from pvtseg.tasks.classification import ClassificationPostProcess, ClassificationVisualizer
from pvtseg.tasks.depth import DepthPostProcess, DepthVisualizer
from pvtseg.tasks.segmentation import SegmentationPostProcess, SegmentationVisualizer
from pvtseg.tasks.several import OfHead, PostProcesses, Visualizers

SIZES = [(32, 48), (20, 30)]
IMAGE = np.full((20, 30, 3), 100, dtype=np.uint8)
RED, BLUE = (200, 0, 0), (0, 0, 250)


def outputs_of_two_views():
    return [
        {
            "segmentation": torch.randn(2, 5, 8 * scale, 12 * scale),
            "depth": 10 * torch.rand(2, 1, 8 * scale, 12 * scale),
            "classification": torch.randn(2, 6),
            "auxiliary": torch.randn(2, 5, 2, 3),
        }
        for scale in (1, 2)
    ]


PARTS = {
    "segmentation": SegmentationPostProcess(),
    "depth": DepthPostProcess(),
    "classification": ClassificationPostProcess(),
}


def test_each_image_has_the_predictions_of_every_task_by_name():
    outputs = outputs_of_two_views()
    predictions = PostProcesses(PARTS)(outputs, SIZES)
    assert [each.keys() for each in predictions] == [PARTS.keys()] * 2
    for name, postprocess in PARTS.items():
        alone = postprocess([view[name] for view in outputs], SIZES)
        for prediction, expected in zip(predictions, alone, strict=True):
            assert torch.equal(prediction[name], expected)


def test_one_head_of_several_has_the_predictions_of_its_task_alone():
    outputs = outputs_of_two_views()
    found = OfHead("depth", DepthPostProcess())(outputs, SIZES)
    expected = DepthPostProcess()([view["depth"] for view in outputs], SIZES)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def visualizers():
    return {"segmentation": SegmentationVisualizer(["a", "b"], [RED, BLUE]), "depth": DepthVisualizer(1, 10)}


def test_the_pictures_of_the_tasks_stand_side_by_side():
    parts = visualizers()
    prediction = {"segmentation": np.ones((20, 30), dtype=np.int64), "depth": np.full((20, 30), 4.0)}
    picture = Visualizers(parts)(prediction, IMAGE)
    assert picture.shape == (20, 60, 3)
    assert np.array_equal(picture[:, :30], parts["segmentation"](prediction["segmentation"], IMAGE))
    assert np.array_equal(picture[:, 30:], parts["depth"](prediction["depth"], IMAGE))


def test_a_target_without_one_of_the_tasks_has_a_picture_less():
    assert Visualizers(visualizers())({"depth": np.full((20, 30), 4.0)}, IMAGE).shape == (20, 30, 3)


def test_the_legend_is_that_of_every_task():
    parts = visualizers()
    legend = Visualizers(parts).legend()
    assert legend == parts["segmentation"].legend() + parts["depth"].legend()
    shown = [{"segmentation": np.array([[1]]), "depth": np.array([[2.0]])}, {"depth": np.array([[3.0]])}]
    assert Visualizers(parts).legend(shown) == [("b", BLUE), *parts["depth"].legend()]


def test_a_class_has_its_name_beside_a_map():
    parts = {"depth": DepthVisualizer(1, 10), "classification": ClassificationVisualizer(["ant", "bee"])}
    picture = Visualizers(parts)({"depth": np.full((20, 30), 4.0), "classification": np.array([0.2, 0.8])}, IMAGE)
    assert np.array_equal(picture[:, 30:], parts["classification"](1, IMAGE))
