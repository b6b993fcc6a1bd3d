"""Answers as pictures."""

import numpy as np
import pytest

from pvtseg.drawing import ClassPainter, DepthPainter, LabelPainter, sheet

IMAGE = np.full((20, 30, 3), 100, dtype=np.uint8)
RED, BLUE = (200, 0, 0), (0, 0, 250)


def test_labels_take_their_colors_over_the_image():
    labels = np.zeros((20, 30), dtype=np.int64)
    labels[:, 15:] = 1
    picture = LabelPainter(["a", "b"], [RED, BLUE], opacity=0.5)(labels, IMAGE)
    assert picture[0, 0].tolist() == [150, 50, 50]
    assert picture[0, 20].tolist() == [50, 50, 175]


@pytest.mark.parametrize("ignored", [255, -1, 2])
def test_pixels_that_are_no_class_stay_as_they_are(ignored):
    labels = np.full((20, 30), ignored, dtype=np.int64)
    assert np.array_equal(LabelPainter(["a", "b"], [RED, BLUE])(labels, IMAGE), IMAGE)


def test_the_legend_names_every_color():
    assert LabelPainter(["a", "b"], [RED, BLUE]).legend() == [("a", RED), ("b", BLUE)]


def test_the_legend_of_a_sheet_names_what_the_sheet_shows():
    painter = LabelPainter(["a", "b", "c"], [RED, BLUE, RED])
    answers = [np.array([[1, 255]]), np.array([[2, -1]])]
    assert painter.legend(answers) == [("b", BLUE), ("c", RED)]
    assert DepthPainter(1, 6).legend()[-1] == ("no reading", (128, 128, 128))


def test_near_is_bright_far_is_dark_and_no_reading_is_gray():
    depth = np.linspace(0.5, 10, 20 * 30, dtype=np.float32).reshape(1, 20, 30)
    depth[0, -1, -1] = 0
    picture = DepthPainter(0.5, 10)(depth, IMAGE)
    assert picture.shape == IMAGE.shape
    assert picture[-1, -1].tolist() == [128, 128, 128]
    brightness = picture.reshape(-1, 3).astype(float).mean(axis=1)[:-1]
    assert (np.diff(brightness) <= 1).all()  # falls all the way, up to rounding
    assert brightness[0] > 180 > 30 > brightness[-1]


def test_depth_colors_do_not_depend_on_what_else_is_in_the_picture():
    painter = DepthPainter(0.5, 10)
    alone, among = painter(np.full((1, 1), 3.0), IMAGE), painter(np.array([[3.0, 9.0, 99.0, 0.1]]), IMAGE)
    assert alone[0, 0].tolist() == among[0, 0].tolist()


@pytest.mark.parametrize("answer", [1, np.int64(1), np.array([0.1, 2.0, -3.0])])
def test_a_class_is_written_onto_the_image(answer):
    painter = ClassPainter(["ant", "bee", "cow"])
    picture = painter(answer, IMAGE)
    assert np.array_equal(picture, painter(1, IMAGE))
    assert not np.array_equal(picture, painter(0, IMAGE))
    assert not np.array_equal(picture, IMAGE)


@pytest.mark.parametrize("num_rows", [1, 2, 5])
@pytest.mark.parametrize("legend", [[], [("a", RED), ("b", BLUE)], [(f"class {i}", RED) for i in range(60)]])
def test_a_sheet_holds_every_picture_and_the_legend(num_rows, legend):
    shades = iter(range(10, 250, 10))
    rows = [[np.full((20, 30, 3), next(shades), dtype=np.uint8) for _ in range(3)] for _ in range(num_rows)]
    page = np.asarray(sheet(rows, ["image", "truth", "prediction"], legend, cell_width=60))
    flat = page.reshape(-1, 3)
    for row in rows:
        for picture in row:
            assert (flat == picture[0, 0]).all(axis=1).sum() >= 60 * 40
    for _, color in legend:
        assert (flat == color).all(axis=1).sum() >= 100


def test_a_sheet_takes_pictures_of_different_sizes():
    rows = [[np.zeros((height, width, 3), dtype=np.uint8)] * 2 for height, width in ((20, 30), (30, 20), (5, 100))]
    assert sheet(rows, ["image", "answer"], [], cell_width=50).width > 4 * 50
