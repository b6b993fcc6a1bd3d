"""`pvtseg benchmark`: a table and a file for any model, from a checkpoint or from the
command line.
"""

import json

import pytest

from pvtseg.backbones.pvt_v2 import mit_b0
from pvtseg.heads.glpn import GLPNHead
from pvtseg.load import save_model
from pvtseg.model import Model

QUICK = ["device=cpu", "seconds=0"]


def read(folder):
    return json.loads((folder / "benchmark.json").read_text())


def test_each_size_meets_each_batch(command, tmp_path):
    outcome = command(
        "benchmark",
        "task=segmentation",
        "size=[[32,32],[64,32]]",
        "batch_size=[1,2]",
        *QUICK,
        f"hydra.run.dir={tmp_path}",
    )
    assert outcome.status == 0, outcome.errors
    content = read(tmp_path)
    found = content["measurements"]
    assert [(row["size"], row["batch_size"]) for row in found] == [
        ([32, 32], 1),
        ([32, 32], 2),
        ([64, 32], 1),
        ([64, 32], 2),
    ]
    assert found[0]["multiply_adds"] == found[1]["multiply_adds"]  # of one image
    assert found[2]["multiply_adds"] > found[0]["multiply_adds"]
    for row in found:
        lower, upper = row["quartiles"]
        assert 0 < lower <= row["seconds"] <= upper
        assert row["images_per_second"] == pytest.approx(row["batch_size"] / row["seconds"])
    assert content["parameters"] == pytest.approx(
        3.8e6, rel=0.01
    )  # SegFormer-B0 has 3.8 M (https://arxiv.org/abs/2105.15203)
    assert "64 x 32" in outcome.output


@pytest.mark.parametrize("task", ["depth", "classification"])
def test_the_other_tasks_are_measured_too(command, tmp_path, task):
    outcome = command("benchmark", f"task={task}", "size=32", "dtype=bfloat16", *QUICK, f"hydra.run.dir={tmp_path}")
    assert outcome.status == 0, outcome.errors
    assert read(tmp_path)["task"].lower() == task


def test_a_published_checkpoint_is_measured_as_the_command_line_asks(command, tmp_path):
    backbone = mit_b0()
    model = Model(backbone, GLPNHead(backbone.channels, max_depth=10))
    source = save_model(model, tmp_path / "glpn", layout="huggingface")
    plain, flipped = tmp_path / "plain", tmp_path / "flipped"
    arguments = [f"checkpoint={source}", "size=64", *QUICK]
    assert command("benchmark", *arguments, f"hydra.run.dir={plain}").status == 0
    assert command("benchmark", *arguments, "inference=flip", "seconds=0.2", f"hydra.run.dir={flipped}").status == 0
    assert read(plain)["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert read(plain)["backbone"] == "mit_b0"
    assert read(flipped)["checkpoint"] == str(source)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["batch_size=0"], "batch_size is 0; use a number of images, 1 or more"),
        (["size=[0,32]"], "size is [0, 32]; use two sides in pixels"),
        (["dtype=float8"], "dtype is float8; use one of float32, bfloat16, float16"),
        (["device=tpu"], "device is tpu; use cpu, cuda, cuda:1 or auto"),
        (["device=cuda:99"], "device is cuda:99, torch sees"),
        (["sizes=32"], "did you mean size?"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistake_is_named(command, tmp_path, arguments, text):
    outcome = command("benchmark", *arguments, f"hydra.run.dir={tmp_path}")
    assert outcome.status == 1
    assert text in outcome.last_line
    assert not (tmp_path / "benchmark.json").exists()


def test_a_checkpoint_keeps_its_backbone(command, tmp_path):
    backbone = mit_b0()
    source = save_model(Model(backbone, GLPNHead(backbone.channels, max_depth=10)), tmp_path / "glpn")
    outcome = command("benchmark", f"checkpoint={source}", "backbone=b2", *QUICK, f"hydra.run.dir={tmp_path}")
    assert outcome.status == 1
    assert "backbone belongs to the checkpoint" in outcome.last_line
