"""The real official pvt_v2_b2.pth: all its keys and shapes, and ten of its trained tensors."""

import json

import numpy as np
import pytest
import torch

from pvtseg.load import load_model

FOLDER = "pvt_v2_b2_official"
pytestmark = pytest.mark.needs_shared

# Where three of them belong, written by hand.
PLACES = {
    "patch_embed1.proj.weight": "backbone.stages.0.embed.project.weight",
    "patch_embed2.proj.weight": "backbone.stages.1.embed.project.weight",
    "patch_embed4.norm.bias": "backbone.stages.3.embed.norm.bias",
}


@pytest.fixture(scope="module")
def trained(shared):
    return {name: torch.from_numpy(array) for name, array in np.load(shared / FOLDER / "partial_tensors.npz").items()}


@pytest.fixture(scope="module")
def model(trained, shared, tmp_path_factory):
    """The whole file again: trained tensors where there are some, random ones in the
    other places.
    """
    shapes = json.loads((shared / FOLDER / "keys_shapes.json").read_text())
    weights = {name: trained.get(name, torch.randn(shape)) for name, shape in shapes.items()}
    path = tmp_path_factory.mktemp("official") / "b2"
    torch.save(weights, path)
    return weights, load_model(path)


def test_all_334_keys_map_without_an_unmatched_tensor(model):
    weights, loaded = model
    assert len(weights) == 334
    assert len(loaded.state_dict()) == 334
    assert sum(tensor.numel() for tensor in loaded.state_dict().values()) == 25_362_856
    assert loaded.config["backbone"]["_target_"].endswith("pvt_v2_b2")


def test_the_trained_tensors_arrive_bit_for_bit(model, trained):
    _, loaded = model
    arrived = loaded.state_dict()
    assert len(trained) == 10
    for name, tensor in trained.items():
        places = [place for place in arrived if torch.equal(arrived[place], tensor)]
        assert len(places) == 1, name
        assert PLACES.get(name, places[0]) == places[0]
