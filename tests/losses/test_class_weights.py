"""Weights that were measured on the data reach the loss, and only where they are about
its classes.
"""

import json

import pytest
from omegaconf import OmegaConf

from pvtseg.build import _measure_class_weights
from pvtseg.errors import UserError
from pvtseg.losses.class_weights import measured_weights, weights_file


@pytest.fixture
def root(tmp_path):
    content = {"names": ["road", "car"], "frequency": [0.9, 0.1], "weights": [0.6, 3.0]}
    write(tmp_path, json.dumps(content))
    return tmp_path


def write(root, content):
    weights_file(root).parent.mkdir(parents=True, exist_ok=True)
    weights_file(root).write_text(content)


def test_the_weights_are_those_that_were_measured(root):
    assert measured_weights(root, ["road", "car"]) == [0.6, 3.0]


@pytest.mark.parametrize("as_config", [dict, OmegaConf.create], ids=["plain", "omegaconf"])
def test_auto_is_replaced_wherever_a_loss_has_it(root, as_config):
    loss = as_config({"class_weights": "auto", "terms": {"focal": {"class_weights": "auto"}, "dice": {"smooth": 1.0}}})
    _measure_class_weights(loss, str(root), ["road", "car"])
    assert loss["class_weights"] == loss["terms"]["focal"]["class_weights"] == [0.6, 3.0]


def test_weights_that_are_given_or_absent_stay_unchanged(tmp_path):
    for given in (None, [1.0, 2.0]):
        loss = {"class_weights": given}
        _measure_class_weights(loss, str(tmp_path), ["road", "car"])
        assert loss["class_weights"] == given


def test_weights_that_nobody_measured_are_refused_with_the_command(tmp_path):
    with pytest.raises(UserError, match=r"were not counted yet; run `pvtseg verify`"):
        measured_weights(tmp_path, ["road", "car"])
    with pytest.raises(UserError, match="no folder that it is known by"):
        measured_weights(None, ["road", "car"])


def test_weights_of_other_classes_are_refused(root):
    with pytest.raises(UserError, match=r"the classes \['road', 'car'\], the data has \['road', 'bus'\]"):
        measured_weights(root, ["road", "bus"])


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"names": ["road", "car"]}', '{"names": ["road", "car"], "weights": [1, "a"]}']
)
def test_a_damaged_file_is_named(root, content):
    write(root, content)
    with pytest.raises(UserError, match=r"\.json is not what `pvtseg verify` writes"):
        measured_weights(root, ["road", "car"])
