"""Files of older versions are brought to today's; version_0.json holds configurations
that runs of pvtseg 0.1 had stored.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pvtseg.backbones.pvt_v2.variants import mit_b0
from pvtseg.build import build_data, build_model, build_task
from pvtseg.checkpoints.files import CONFIG_KEY, pack
from pvtseg.checkpoints.trust import is_part
from pvtseg.checkpoints.versions import MOVED, POSTPROCESS, VERSION, upgrade
from pvtseg.errors import UserError
from pvtseg.heads.glpn import GLPNHead
from pvtseg.load import load_backbone, load_model, load_predictor, save_model
from pvtseg.model import Model

OLD = json.loads((Path(__file__).parent / "version_0.json").read_text())
SHAPES = {"depth": (40, 56), "segmentation": (40, 56), "classification": (6,)}


def old_file(name, path):
    """A .ckpt of an old run: the configuration without a version, beside the weights of
    its model.
    """
    config, _ = upgrade(0, OLD[name], {})
    model = build_model(config)
    state = {f"model.{key}": tensor for key, tensor in model.state_dict().items()}
    if "auxiliary" in OLD[name]:
        state |= {"model.auxiliary.classify.weight": torch.zeros(13, 256, 1, 1)}
    torch.save({CONFIG_KEY: OLD[name], "state_dict": state, "loops": {}}, path)
    return model


@pytest.mark.parametrize("name", OLD)
def test_an_old_file_predicts_and_can_be_evaluated(name, tmp_path):
    model = old_file(name, tmp_path / "old.ckpt")
    loaded = load_model(tmp_path / "old.ckpt")
    assert all(torch.equal(loaded.state_dict()[key], tensor) for key, tensor in model.state_dict().items())
    config = loaded.config
    shape = SHAPES[config["task"]["name"]]
    if config["inference"]["_target_"].endswith("SlidingWindow"):
        assert config["inference"]["blend"] == "uniform"
    prediction = load_predictor(tmp_path / "old.ckpt")(np.zeros((40, 56, 3), np.uint8))
    assert prediction.shape == shape
    if "metrics" in config:
        assert config["monitor"]["mode"] == "max"
        task = build_task(config, loaded)
        data = build_data(config)
        data.setup("validate")
        batch = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
        predictions = task.predict(batch)
        assert len(predictions) == 4


@pytest.mark.parametrize("name", OLD)
def test_nothing_of_the_old_layout_is_left(name):
    config, _ = upgrade(0, OLD[name], {})
    text = json.dumps(config)
    assert not config.keys() & {"model", "painter", "predictor", "auxiliary", "auxiliary_loss"}
    assert not any(f'"{old}"' in text for old in MOVED)
    assert "_rate" not in text.replace("drop_path_rate", "")
    assert all(is_part(target) for target in targets(config))


def targets(value):
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "_target_")
        yield from (target for each in value.values() for target in targets(each))
    elif isinstance(value, list):
        yield from (target for each in value for target in targets(each))


def test_every_moved_name_leads_to_a_part():
    assert [new for new in MOVED.values() if not is_part(new)] == []
    assert all(map(is_part, POSTPROCESS.values()))


def test_how_a_depth_map_was_resized_is_kept():
    config, _ = upgrade(0, OLD["transformers' glpn"], {})
    assert config["postprocess"] == {"_target_": "pvtseg.tasks.depth.DepthPostProcess", "interpolation": "bicubic"}
    assert config["visualizer"]["max_depth"] == 10


def test_a_metric_of_which_less_is_better_is_minimized():
    config, _ = upgrade(0, {**OLD["depth"], "monitor": "rmse"}, {})
    assert config["monitor"] == {"metric": "rmse", "mode": "min"}


def test_a_loss_for_images_ignores_no_label():
    config, _ = upgrade(0, OLD["classification"], {})
    assert config["loss"] == {
        "_target_": "pvtseg.losses.classification.ClassificationCrossEntropy",
        "label_smoothing": 0.0,
        "class_weights": None,
    }


@pytest.fixture
def saved(tmp_path):
    backbone = mit_b0()
    return save_model(Model(backbone, GLPNHead(backbone.channels, max_depth=10)), tmp_path / "saved")


def test_our_files_carry_the_version(saved):
    assert json.loads((saved / "config.json").read_text())["version"] == VERSION
    assert pack({"seed": 0}) == {"version": VERSION, "config": {"seed": 0}}


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (
            {"version": VERSION + 1, "config": {"backbone": {}}},
            rf"has version {VERSION + 1}, this pvtseg knows {VERSION}; install",
        ),
        ({"version": -1, "config": {"backbone": {}}}, "has version -1; expected 0 to"),
        ({"version": "1", "config": {"backbone": {}}}, "is not one of pvtseg; save the model again"),
        ({"version": True, "config": {"backbone": {}}}, "is not one of pvtseg; save the model again"),
        ({"version": 1}, "is not one of pvtseg; save the model again"),
        ([1], "is not one of pvtseg; save the model again"),
        ("{", "its configuration is not JSON"),
        (
            {"task": {"_target_": "pvtseg.tasks.Panoptic"}, "head": {}, "backbone": {}},
            "trained for the task 'panoptic'",
        ),
        (
            {"task": {"_target_": "pvtseg.tasks.Depth"}, "head": {}, "backbone": {}},
            "not one that pvtseg has stored.*save the model",
        ),
    ],
)
def test_another_version_is_refused_in_one_line(packed, message, saved, tmp_path):
    torch.save({CONFIG_KEY: packed, "state_dict": {"model.x": torch.zeros(1)}}, tmp_path / "x.ckpt")
    for load in (load_model, load_backbone, load_predictor):
        with pytest.raises(UserError, match=message) as refusal:
            load(tmp_path / "x.ckpt")
        assert "\n" not in str(refusal.value)
        assert str(refusal.value).startswith(str(tmp_path / "x.ckpt"))
