"""The Hugging Face hub, without network: a prepared cache, and what is said when
nothing can be had.
"""

import socket
import time

import pytest
import torch
from huggingface_hub import constants

from pvtseg.backbones.pvt_v2 import pvt_v2_b0
from pvtseg.checkpoints.families.pvt_v2 import CLASSIFIER
from pvtseg.checkpoints.hub import is_hub_id
from pvtseg.errors import UserError
from pvtseg.heads.linear import LinearHead
from pvtseg.load import load_backbone, load_model, save_model
from pvtseg.model import Model

NAME = "OpenGVLab/pvt_v2_b0"


@pytest.fixture
def cache(tmp_path):
    """A cache of the hub that holds one repository at the branch main and the tag v1,
    as huggingface_hub lays it out.
    """
    repository = tmp_path / "cache" / "models--OpenGVLab--pvt_v2_b0"
    commits = {"main": "a" * 40, "v1": "b" * 40}
    (repository / "refs").mkdir(parents=True)
    for classes, (tag, commit) in enumerate(commits.items(), start=2):
        backbone = pvt_v2_b0()
        save_model(
            Model(backbone, LinearHead(backbone.channels, classes)), repository / "snapshots" / commit, "huggingface"
        )
        (repository / "refs" / tag).write_text(commit)
    return tmp_path / "cache"


@pytest.fixture
def offline(cache, monkeypatch):
    """HF_HUB_OFFLINE=1, which huggingface_hub reads when it is imported."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))


@pytest.fixture
def no_network(cache, monkeypatch):
    """A machine that finds no other one, and no waiting between the attempts."""

    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.usefixtures("offline")
def test_a_prepared_cache_is_read_by_name():
    assert load_model(NAME).head.classify.out_features == 2
    assert load_backbone(NAME).channels == (32, 64, 160, 256)


@pytest.mark.usefixtures("offline")
def test_a_revision_follows_the_name_or_is_an_option():
    assert load_model(f"{NAME}@v1").head.classify.out_features == 3
    assert load_model(NAME, revision="v1").head.classify.out_features == 3


def test_a_cache_of_ones_own_needs_no_network(cache):
    assert load_model(NAME, cache=cache, offline=True).head.classify.out_features == 2


def test_old_repositories_keep_a_pickle(cache):
    (snapshot,) = (cache / "models--OpenGVLab--pvt_v2_b0" / "snapshots").glob("a*")
    weights = load_model(snapshot).state_dict()
    (snapshot / "model.safetensors").unlink()
    (snapshot / "preprocessor_config.json").unlink()
    torch.save(CLASSIFIER.to_published(weights), snapshot / "pytorch_model.bin")
    again = load_model(NAME, cache=cache, offline=True).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())


@pytest.mark.usefixtures("offline")
def test_offline_and_not_in_the_cache_is_said_with_name_reason_and_way_out():
    with pytest.raises(
        UserError, match=r"OpenGVLab/pvt_v2_b5 .*offline mode is enabled.*folder of the downloaded files"
    ):
        load_model("OpenGVLab/pvt_v2_b5")


@pytest.mark.usefixtures("no_network")
def test_without_network_the_error_has_name_reason_and_way_out():
    with pytest.raises(
        UserError, match=r"OpenGVLab/pvt_v2_b5 .*Name or service not known.*folder of the downloaded files"
    ) as refusal:
        load_model("OpenGVLab/pvt_v2_b5")
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("no_network")
def test_without_network_the_cache_still_serves():
    assert load_model(NAME).head.classify.out_features == 2


def test_what_ends_like_a_file_is_no_name_on_the_hub():
    assert all(map(is_hub_id, ["OpenGVLab/pvt_v2_b2", "timm/pvt_v2_b2.in1k", "nvidia/mit-b0@main"]))
    assert not any(map(is_hub_id, ["logs/last.ckpt", "a/b/c", "b2", "weights/b2.pth", "/a/b"]))
