"""Training refuses data that cannot be learned from, before its first step, with an
option that pastes into a shell.
"""

import shlex

import numpy as np
import pytest
from made import noise, write

from pvtseg.build import build_data, compose
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify.start import COUNT, MOST, check_start
from pvtseg.errors import UserError

TWO = "data.labels.names=[background,road]"
ROWS, COLUMNS = np.mgrid[:40, :60]


def disc(row, column, radius):
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 < radius**2


def binary(index):
    """A foreground of 255, as annotation tools and image editors export it."""
    return np.where(disc(20, 10 + index % 40, 9), 255, 0).astype(np.uint8)


def with_void(index, *, label=1):
    """An object of class `label` with a border of 255 around it, as in Pascal VOC."""
    mask = np.where(disc(20, 10 + index % 40, 11), 255, 0)
    return np.where(disc(20, 10 + index % 40, 9), label, mask).astype(np.uint8)


def folder(root, mask_of, count=20):
    for index in range(count):
        for split in ("train", "val"):
            write(root / f"images/{split}/{index:03d}.jpg", noise(index, 40, 60))
            write(root / f"masks/{split}/{index:03d}.png", mask_of(index))
    return root


def start(root, *overrides):
    fixed = ["data=folder", f"data.root={root}", "data.num_workers=0", "data.batch_size=1"]
    build_data(compose(*fixed, *overrides)).check()


def pasted(error, beginning):
    """The options of a message that are in quotes, as a shell would hand them over."""
    return [word.rstrip(",.;") for word in shlex.split(str(error)) if word.startswith(beginning)]


def test_masks_of_0_and_255_are_refused_with_the_label_map_to_paste(tmp_path):
    folder(tmp_path, binary)
    with pytest.raises(UserError, match="hold 0 and 255 only, and 255 is ignored, so 'road' is never seen") as refused:
        start(tmp_path, TWO)
    as_class, as_void = pasted(refused.value, "data.train.label_map=")
    assert as_class == "data.train.label_map={0: 0, 255: 1}"
    start(tmp_path, TWO, as_class)
    start(tmp_path, TWO, as_void)  # it was meant


def test_masks_of_0_and_255_for_one_class_are_refused_with_both_options_to_paste(tmp_path):
    folder(tmp_path, binary)
    with pytest.raises(UserError, match="a single class cannot be learned") as refused:
        start(tmp_path, "data.labels.names=[road]")
    start(tmp_path, *pasted(refused.value, "data."))


def test_a_last_class_that_255_hides_is_refused(tmp_path):
    """0, 128 and 255 were meant for three classes; the user has mapped 128 by hand."""
    folder(tmp_path, lambda index: np.where(disc(30, 50, 8), 1, binary(index)).astype(np.uint8))
    with pytest.raises(
        UserError, match="hold 0, 1 and 255 only, and 255 is ignored, so 'sky' is never seen"
    ) as refused:
        start(tmp_path, "data.labels.names=[background,road,sky]")
    assert pasted(refused.value, "data.")[0] == "data.train.label_map={0: 0, 1: 1, 255: 2}"


@pytest.mark.parametrize("names", ["[background,road]", "[background,road,sky,car]"])
def test_ignored_borders_around_known_classes_are_fine(tmp_path, names):
    start(folder(tmp_path, with_void), f"data.labels.names={names}")


def test_a_rare_class_beside_ignored_borders_is_found_further_on(tmp_path):
    """Of a hundred images one shows the class, and it is none of those that are checked
    first.
    """
    rare = 10
    folder(tmp_path, lambda index: with_void(index, label=int(index == rare)), count=100)
    assert rare not in np.linspace(0, 99, COUNT).round()
    start(tmp_path, TWO)


def test_masks_without_any_ignored_pixel_are_fine(tmp_path):
    start(folder(tmp_path, lambda index: np.zeros((40, 60), np.uint8)), TWO)


def test_masks_that_are_all_ignored_are_refused(tmp_path):
    folder(tmp_path, lambda index: np.full((40, 60), 255, np.uint8))
    with pytest.raises(
        UserError, match=r"no pixel of 20 training masks has a class: all are data\.labels\.ignore_index=255"
    ):
        start(tmp_path, TWO)


def test_a_value_without_a_meaning_is_refused_with_its_file(tmp_path):
    folder(tmp_path, lambda index: np.full((40, 60), 7, np.uint8))
    with pytest.raises(UserError, match=r"masks/train/000\.png holds 7"):
        start(tmp_path, TWO)


# -- depth ---------------------------------------------------------------------------------------------------------


def depths(root, depth_of, count=4):
    for index in range(count):
        for split in ("train", "val"):
            write(root / f"images/{split}/{index}.jpg", noise(index, 40, 60))
            write(root / f"depth/{split}/{index}.png", depth_of(index))
    return root


def test_depth_without_any_valid_pixel_is_refused(tmp_path):
    depths(tmp_path, lambda index: np.zeros((40, 60), np.uint16))
    with pytest.raises(UserError, match=r"no pixel of 4 training depth maps .*has no valid depth at all"):
        start(tmp_path, "task=depth")


def test_depth_in_another_unit_is_refused_with_the_option(tmp_path):
    """The first map is empty, so that the scale cannot be judged by it."""
    depths(tmp_path, lambda index: np.full((40, 60), 2500 * (index > 0), np.uint16))
    start(tmp_path, "task=depth")
    with pytest.raises(
        UserError, match=r"data\.train\.scale=1(\.0)?; set data\.train\.scale .* data\.train\.scale=0\.001"
    ):
        start(tmp_path, "task=depth", "data.train.scale=1.0")


def test_depth_with_one_valid_pixel_is_fine(tmp_path):
    depths(tmp_path, lambda index: np.eye(40, 60, dtype=np.uint16) * 1500 * (index == 3))
    start(tmp_path, "task=depth")


# -- any data set --------------------------------------------------------------------------------------------------


class Targets:
    """A data set from outside."""

    def __init__(self, *targets):
        self.targets = targets
        self.seen = []

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        self.seen.append(index)
        return {"image": noise(index, 2, 2), "target": self.targets[index], "name": f"picture {index}"}


LABELS, RANGE = ClassInfo(["a", "b"]), DepthRange(1, 10)


@pytest.mark.parametrize("target", [2, -1, np.full((2, 2), 2), {"segmentation": np.full((2, 2), 2)}])
def test_labels_that_do_not_exist_are_refused_with_their_sample(target):
    with pytest.raises(UserError, match=r"picture 0 has the labels (2|-1); expected 0\.\.1, and 255"):
        check_start(Targets(target), labels=LABELS, depth=None)


def test_several_targets_are_checked_one_by_one():
    fine = {"segmentation": np.zeros((2, 2), int), "depth": np.full((2, 2), 5.0), "label": 1}
    check_start(Targets(fine), labels=LABELS, depth=RANGE)
    with pytest.raises(UserError, match="no pixel of 1 training depth maps"):
        check_start(Targets({**fine, "depth": np.zeros((2, 2))}), labels=LABELS, depth=RANGE)


def test_other_targets_are_not_checked():
    check_start(Targets(object(), "text", None), labels=LABELS, depth=RANGE)


def test_a_few_images_from_all_over_the_data_set_are_enough():
    samples = Targets(*[1] * 5000)
    check_start(samples, labels=LABELS, depth=None)
    assert len(samples.seen) == COUNT
    assert (samples.seen[0], samples.seen[-1]) == (0, 4999)


def test_never_more_than_some_images_are_looked_at():
    samples = Targets(*[np.full((2, 2), 255)] * 5000)
    with pytest.raises(UserError, match=f"no pixel of {MOST} training masks"):
        check_start(samples, labels=LABELS, depth=None)
    assert len(set(samples.seen)) == len(samples.seen) == MOST


@pytest.mark.parametrize("task", ["segmentation", "depth", "classification"])
def test_rendered_scenes_are_fine(task):
    build_data(compose(f"task={task}", "data.num_workers=0", "data.train.size=[32,48]")).check()
