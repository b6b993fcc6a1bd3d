"""The picture of a validation: image, target and prediction of some images, side by side."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from pvtseg.callbacks.draw_predictions import DrawPredictions
from pvtseg.data.normalize import Normalize
from pvtseg.tasks.several import Visualizers

NORMALIZE = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Recorder:
    """A visualizer of one color, which is the prediction's number. It records what it draws."""

    def __init__(self):
        self.drawn, self.images, self.in_legend = [], [], None

    def __call__(self, prediction, image):
        self.drawn.append(prediction)
        self.images.append(image)
        return np.full_like(image, int(np.max(prediction)))

    def legend(self, predictions=None):
        self.in_legend = predictions
        return [("the color of the legend", (255, 0, 255))]


def trainer_of(folder, num_batches, **options):
    defaults = {
        "num_val_batches": [num_batches],
        "is_global_zero": True,
        "sanity_checking": False,
        "global_step": 1200,
        "datamodule": SimpleNamespace(normalize=NORMALIZE),
        "default_root_dir": str(folder),
    }
    return SimpleNamespace(**defaults | options)


def batch_of(first, *, count=2, size=(12, 16), image_size=(8, 10), padded=(10, 12)):
    """Images of 40 + their number, 0 in the padding; targets that are the number."""
    numbers = torch.arange(first, first + count)
    image = torch.zeros(count, 3, *padded)
    image[:, :, : image_size[0], : image_size[1]] = 40.0 + numbers[:, None, None, None]
    image = NORMALIZE(image)
    return {
        "image": image,
        "image_size": [image_size] * count,
        "views": [image],
        "target": numbers[:, None, None].expand(count, *size).clone(),
        "size": [size] * count,
        "name": [str(int(number)) for number in numbers],
    }


def draw(callback, trainer, batches, predict=lambda batch: [target + 100 for target in batch["target"]]):
    callback.on_validation_epoch_start(trainer, None)
    for index, batch in enumerate(batches):
        callback.on_validation_batch_end(trainer, None, predict(batch), batch, index)
    callback.on_validation_epoch_end(trainer, None)


def test_a_picture_of_each_validation_is_written_into_the_folder_of_the_run(tmp_path):
    visualizer = Recorder()
    batches = [batch_of(2 * index) for index in range(3)]
    draw(DrawPredictions(visualizer, num_images=6), trainer_of(tmp_path, 3), batches)
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["step_001200.png"]
    picture = np.asarray(Image.open(tmp_path / "predictions/step_001200.png")).reshape(-1, 3)
    for number in range(6):
        for shade in (40 + number, number, 100 + number):  # image, target, prediction
            assert (picture == shade).all(axis=1).sum() > 10_000
    assert (picture == (255, 0, 255)).all(axis=1).sum() >= 100


def test_images_come_from_all_over_the_validation(tmp_path):
    visualizer = Recorder()
    draw(
        DrawPredictions(visualizer, num_images=4), trainer_of(tmp_path, 8), [batch_of(2 * index) for index in range(8)]
    )
    targets = [int(drawn.max()) for drawn in visualizer.drawn[::2]]
    assert targets == [0, 4, 8, 12]


@pytest.mark.parametrize(("num_images", "expected"), [(1, 1), (3, 3), (6, 6), (50, 6)])
def test_as_many_images_are_drawn_as_there_should_be(num_images, expected, tmp_path):
    visualizer = Recorder()
    draw(
        DrawPredictions(visualizer, num_images=num_images),
        trainer_of(tmp_path, 3),
        [batch_of(2 * index) for index in range(3)],
    )
    assert len(visualizer.drawn) == 2 * expected


def test_the_image_is_drawn_without_padding_at_the_size_of_its_prediction(tmp_path):
    visualizer = Recorder()
    draw(DrawPredictions(visualizer, num_images=2), trainer_of(tmp_path, 1), [batch_of(0)])
    for number, image in enumerate(visualizer.images[::2]):
        assert (image.shape, image.dtype) == ((12, 16, 3), np.uint8)
        assert (image == 40 + number).all()


def test_each_image_has_a_size_of_its_own(tmp_path):
    visualizer = Recorder()
    batch = batch_of(0)
    batch["image_size"], batch["size"] = [(8, 10), (6, 7)], [(12, 16), (20, 30)]
    batch["target"] = [torch.zeros(12, 16), torch.ones(20, 30)]
    draw(DrawPredictions(visualizer, num_images=2), trainer_of(tmp_path, 1), [batch])
    assert [image.shape[:2] for image in visualizer.images[::2]] == [(12, 16), (20, 30)]
    assert (visualizer.images[2] == 41).all()


def test_the_legend_is_that_of_what_was_drawn(tmp_path):
    visualizer = Recorder()
    draw(DrawPredictions(visualizer, num_images=2), trainer_of(tmp_path, 1), [batch_of(0)])
    assert [int(each.max()) for each in visualizer.in_legend] == [0, 100, 1, 101]
    assert all(isinstance(each, np.ndarray) for each in visualizer.in_legend)


def test_targets_and_predictions_may_stand_by_name(tmp_path):
    parts = {"one": Recorder(), "other": Recorder()}
    batch = batch_of(0)
    batch["target"] = {"one": batch["target"], "other": batch["target"] + 10}
    predictions = [{"one": torch.tensor(50 + index), "other": torch.tensor(60 + index)} for index in range(2)]
    draw(DrawPredictions(Visualizers(parts), num_images=2), trainer_of(tmp_path, 1), [batch], lambda _: predictions)
    assert [int(drawn.max()) for drawn in parts["one"].drawn] == [0, 50, 1, 51]
    assert [int(drawn.max()) for drawn in parts["other"].drawn] == [10, 60, 11, 61]
    assert (tmp_path / "predictions/step_001200.png").is_file()


@pytest.mark.parametrize("options", [{"sanity_checking": True}, {"is_global_zero": False}])
def test_a_sanity_check_and_other_processes_write_nothing(options, tmp_path):
    draw(DrawPredictions(Recorder(), num_images=2), trainer_of(tmp_path, 1, **options), [batch_of(0)])
    assert list(tmp_path.iterdir()) == []


def test_a_picture_shows_its_own_validation_alone(tmp_path):
    visualizer = Recorder()
    callback = DrawPredictions(visualizer, num_images=2)
    draw(callback, trainer_of(tmp_path, 1), [batch_of(0)])
    draw(callback, trainer_of(tmp_path, 1, global_step=1300), [batch_of(7)])
    assert [int(each.max()) for each in visualizer.in_legend] == [7, 107, 8, 108]
    assert len(list((tmp_path / "predictions").iterdir())) == 2
