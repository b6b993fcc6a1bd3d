"""Pictures in rows under their titles, with a legend."""

from __future__ import annotations

import numpy as np
import pytest

from pvtseg.drawing import image_grid

RED, BLUE = (200, 0, 0), (0, 0, 250)


@pytest.mark.parametrize("num_rows", [1, 2, 5])
@pytest.mark.parametrize("legend", [[], [("a", RED), ("b", BLUE)], [(f"class {i}", RED) for i in range(60)]])
def test_an_image_grid_holds_every_picture_and_the_legend(num_rows, legend):
    shades = iter(range(10, 250, 10))
    rows = [[np.full((20, 30, 3), next(shades), dtype=np.uint8) for _ in range(3)] for _ in range(num_rows)]
    grid = np.asarray(image_grid(rows, ["image", "target", "prediction"], legend, cell_width=60))
    flat = grid.reshape(-1, 3)
    for row in rows:
        for picture in row:
            assert (flat == picture[0, 0]).all(axis=1).sum() >= 60 * 40
    for _, color in legend:
        assert (flat == color).all(axis=1).sum() >= 100


def test_an_image_grid_takes_pictures_of_different_sizes():
    rows = [[np.zeros((height, width, 3), dtype=np.uint8)] * 2 for height, width in ((20, 30), (30, 20), (5, 100))]
    assert image_grid(rows, ["image", "prediction"], [], cell_width=50).width > 4 * 50


def test_the_legend_stays_within_the_picture():
    rows = [[np.zeros((20, 30, 3), dtype=np.uint8)]]
    legend = [(f"a class with a long name {index}", (index, 0, 255)) for index in range(30)]
    grid = np.asarray(image_grid(rows, ["image"], legend, cell_width=320))
    for _, color in legend:
        assert (grid == color).all(axis=2).sum() >= 100  # the whole swatch
