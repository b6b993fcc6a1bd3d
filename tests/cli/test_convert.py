"""`pvtseg convert`: it writes, opens what it wrote with the library it is for,
compares, and fails when they differ.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from pvtseg.backbones.pvt_v2 import mit_b1, pvt_v2_b0
from pvtseg.checkpoints import saving
from pvtseg.cli.convert import convert
from pvtseg.errors import UserError
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.load import save_model
from pvtseg.model import Model


def options(**values):
    return OmegaConf.create({"norm_eps": None, "max_depth": None, "trust": [], **values})


@pytest.fixture
def classifier(tmp_path):
    torch.manual_seed(0)
    backbone = pvt_v2_b0()
    return save_model(Model(backbone, LinearHead(backbone.channels, 5)), tmp_path / "source")


@pytest.mark.parametrize(
    ("layout", "library"),
    [("huggingface", "transformers"), ("timm", "timm"), ("official", "pvtseg"), ("pvtseg", "pvtseg")],
)
def test_it_ends_with_the_difference_that_the_other_library_makes(layout, library, classifier, tmp_path, capsys):
    convert(options(source=str(classifier), layout=layout, output=str(tmp_path / "output")))
    last = capsys.readouterr().out.strip().splitlines()[-1]
    difference = float(re.match(r"largest difference (\S+) in outputs up to", last).group(1))
    assert difference < 1e-4
    assert last.endswith(f"opened by {library}")


def test_an_encoder_alone_is_converted_too(tmp_path, capsys):
    source = save_model(pvt_v2_b0(), tmp_path / "source", layout="official")
    convert(options(source=str(source), layout="huggingface", output=str(tmp_path / "output")))
    assert "opened by transformers" in capsys.readouterr().out


def test_a_depth_range_that_the_format_does_not_hold_is_no_difference(tmp_path):
    backbone = mit_b1()
    source = save_model(Model(backbone, GLPNHead(backbone.channels, max_depth=80)), tmp_path / "source")
    assert convert(options(source=str(source), layout="official", output=str(tmp_path / "output"))) < 1e-4


def test_it_fails_when_the_outputs_differ(classifier, tmp_path, monkeypatch):
    def damaged(config, state, folder):
        write(config, {name: tensor * 1.1 for name, tensor in state.items()}, folder)

    write = saving.WRITERS["timm"]
    monkeypatch.setitem(saving.WRITERS, "timm", damaged)
    with pytest.raises(UserError, match=r"differs by .* do not use"):
        convert(options(source=str(classifier), layout="timm", output=str(tmp_path / "output")))


def test_what_is_not_given_is_named():
    with pytest.raises(
        UserError, match="layout is not given; pvtseg convert source=SOURCE layout=LAYOUT output=FOLDER"
    ):
        convert(options(source="x", layout="???", output="y"))


@pytest.mark.parametrize("layout", ["timm", "openmmlab"])
def test_the_printed_command_runs_unchanged(layout, tmp_path):
    source = save_model(pvt_v2_b0(), tmp_path / "source", layout="official")
    command = ["-m", "pvtseg", "convert", f"source={source}", f"layout={layout}", f"output={tmp_path / 'output'}"]
    outcome = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith(f"wrote {tmp_path / 'output'}, layout {layout}\nlargest difference")


def test_a_source_that_is_not_there_is_named_by_the_command(tmp_path):
    command = ["-m", "pvtseg", "convert", "source=nowhere.pth", "layout=timm", f"output={tmp_path}"]
    outcome = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert outcome.returncode == 1
    assert "there is no file or folder nowhere.pth" in outcome.stderr.strip().splitlines()[-1]
