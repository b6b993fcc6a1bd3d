import numpy as np
import pytest

from pvtseg.data.target_info import ClassInfo, DepthRange, distinct_colors
from pvtseg.errors import UserError


def test_names_give_the_number_of_classes():
    labels = ClassInfo(["road", "sky", "tree"])
    assert labels.num_classes == 3
    assert labels.names == ("road", "sky", "tree")
    assert labels.named


def test_a_number_of_classes_gives_names():
    labels = ClassInfo(num_classes=2)
    assert labels.names == ("class_0", "class_1")
    assert not labels.named


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, r"set data\.labels\.names .* or data\.labels\.num_classes"),
        ({"names": ["road", "sky"], "num_classes": 3}, r"num_classes is 3 but data\.labels\.names has 2 names"),
        ({"names": ["road", "sky", "road"]}, r"data\.labels\.names holds road more than once"),
        ({"names": []}, r"data\.labels\.names is empty"),
        ({"names": "road"}, r"data\.labels\.names is 'road'; expected a list"),
        ({"names": ["road", False]}, r"put them in quotes"),
        ({"num_classes": 0}, r"num_classes is 0; use 1 or more"),
        (
            {"names": ["road", "sky"], "ignore_index": 1},
            r"ignore_index is 1, which is also class 'sky'.*such as data\.labels\.ignore_index=255",
        ),
        ({"num_classes": 300}, r"ignore_index is 255.*such as data\.labels\.ignore_index=-1"),
        ({"num_classes": 2, "palette": [[0, 0, 0]]}, r"palette has 1 colors for 2 classes"),
        ({"num_classes": 1, "palette": [[0, 0, 256]]}, r"palette holds \[0, 0, 256\].*0\.\.255"),
        ({"num_classes": 1, "palette": [[0, 0]]}, r"palette holds \[0, 0\].*red, green, blue"),
    ],
)
def test_facts_that_contradict_each_other_are_refused(facts, message):
    with pytest.raises(UserError, match=message):
        ClassInfo(**facts)


def test_ignore_index_may_be_negative():
    assert ClassInfo(num_classes=300, ignore_index=-1).ignore_index == -1


def test_labels_come_back_from_plain_containers():
    labels = ClassInfo(["road", "sky"], ignore_index=7, palette=[(1, 2, 3), (4, 5, 6)])
    facts = labels.as_dict()
    assert facts == {
        "names": ["road", "sky"],
        "num_classes": 2,
        "ignore_index": 7,
        "palette": [[1, 2, 3], [4, 5, 6]],
    }
    assert ClassInfo(**facts) == labels


def test_every_class_gets_a_color_of_its_own():
    colors = np.array(distinct_colors(150), dtype=int)
    distances = np.abs(colors[:, None] - colors[None]).max(-1) + 255 * np.eye(150, dtype=int)
    assert distances.min() >= 12
    assert colors.min() >= 0
    assert colors.max() <= 255


def test_the_first_colors_do_not_depend_on_how_many_follow():
    assert distinct_colors(20)[:5] == distinct_colors(5)


@pytest.mark.parametrize(("low", "high"), [(0, 10), (-1, 10), (10, 10), (0.1, float("inf")), (float("nan"), 10)])
def test_a_depth_range_that_holds_nothing_is_refused(low, high):
    with pytest.raises(UserError, match=r"data\.depth is min=.*meters"):
        DepthRange(low, high)


def test_a_depth_range_comes_back_from_plain_containers():
    assert DepthRange(**DepthRange(0.001, 10).as_dict()) == DepthRange(0.001, 10)
