"""Weights go from format to format and come back bit for bit; official files are read
whatever wraps them.
"""

import argparse

import pytest
import torch

from pvtseg.backbones.pvt_v2 import mit_b0, mit_b1, pvt_v2_b0, pvt_v2_b2_linear
from pvtseg.checkpoints.families import FAMILIES, glpn, openmmlab, pvt_v2, segformer
from pvtseg.heads.conv_segformer import ConvSegFormerHead
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.load import load_backbone, load_model, save_model
from pvtseg.model import Model


def classifier(make=pvt_v2_b0):
    backbone = make()
    return Model(backbone, LinearHead(backbone.channels, 5))


def segmenter(make=mit_b0):
    backbone = make()
    return Model(backbone, SegFormerHead(backbone.channels, 5, channels=32))


def estimator():
    backbone = mit_b1()  # like GLPN's own encoder, its finest map has the decoder's width
    return Model(backbone, GLPNHead(backbone.channels, max_depth=10))


def conv_segmenter(make=mit_b0):
    backbone = make()
    return Model(backbone, ConvSegFormerHead(backbone.channels, 5, channels=32))


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("make", [pvt_v2_b0, pvt_v2_b2_linear])
def test_official_to_ours_to_timm_to_ours_to_huggingface_to_ours(make, tmp_path, shaken):
    original = shaken(classifier(make))
    official_weights = pvt_v2.OFFICIAL.to_published(original.state_dict())
    torch.save(official_weights, tmp_path / "official.pth")

    model = load_model(tmp_path / "official.pth")
    for layout in ("timm", "huggingface", "pvtseg", "official"):
        model = load_model(save_model(model, tmp_path / layout, layout=layout))
        assert same(model.state_dict(), original.state_dict())
    assert same(torch.load(tmp_path / "official" / "model.pth"), official_weights)


@pytest.mark.parametrize(
    ("make", "layouts"),
    [
        (segmenter, ("official", "huggingface", "pvtseg")),
        (estimator, ("official", "huggingface", "pvtseg")),
        (conv_segmenter, ("openmmlab", "pvtseg", "openmmlab")),
    ],
)
def test_heads_make_the_round_trip_too(make, layouts, tmp_path, shaken):
    model = original = shaken(make())
    for layout in layouts:
        model = load_model(save_model(model, tmp_path / layout, layout=layout))
        assert same(model.state_dict(), original.state_dict())


FORMATS = [format for family in FAMILIES for format in family.formats]
MODELS = {pvt_v2.HEAD: classifier, segformer.HEAD: segmenter, glpn.HEAD: estimator, openmmlab.HEAD: conv_segmenter}


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.kind)
def test_every_format_names_every_tensor_once(format, shaken):
    for head in format.heads:
        model = shaken(MODELS[head]() if head else torch.nn.ModuleDict({"backbone": mit_b0()}))
        state = dict(model.state_dict())
        published = format.to_published(state)
        assert not format.unmatched(published)
        assert same(format.from_published(published), state)


def test_the_fusing_convolution_takes_the_coarsest_map_first(shaken):
    # SegFormer concatenates c4, c3, c2, c1: the columns that belong to the finest map
    # are the last ones.
    head = shaken(segmenter()).head
    state = {f"head.{name}": tensor for name, tensor in head.state_dict().items()}
    fuse = segformer.OFFICIAL.to_published(state)["decode_head.linear_fuse.conv.weight"]
    assert fuse.shape == (32, 128, 1, 1)
    assert torch.equal(fuse[:, 96:, 0, 0], head.branches[0].fuse.weight)
    assert torch.equal(fuse[:, :32, 0, 0], head.branches[3].fuse.weight)


def test_keys_are_the_first_half_of_the_rows_and_values_the_second():
    state = {"backbone.stages.1.blocks.3.attention.key_value.bias": torch.arange(8.0)}
    theirs = pvt_v2.CLASSIFIER.to_published(state)
    attention = "pvt_v2.encoder.layers.1.blocks.3.attention"
    assert theirs[f"{attention}.key.bias"].tolist() == [0, 1, 2, 3]
    assert theirs[f"{attention}.value.bias"].tolist() == [4, 5, 6, 7]


WRAPPINGS = {
    "nothing": lambda weights: weights,
    "a training checkpoint": lambda weights: {
        "model": weights,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
        "epoch": 299,
        "args": argparse.Namespace(model="pvt_v2_b0", lr=1e-3),
    },
    "a state_dict": lambda weights: {"meta": {"epoch": 3}, "state_dict": weights},
    "DataParallel": lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()},
    "both": lambda weights: {"model": {f"module.{name}": tensor for name, tensor in weights.items()}},
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
@pytest.mark.parametrize("zipped", [True, False])
def test_official_files_are_read_whatever_wraps_them(wrap, zipped, tmp_path, shaken):
    original = shaken(classifier())
    weights = pvt_v2.OFFICIAL.to_published(original.state_dict())
    torch.save(wrap(weights), tmp_path / "x", _use_new_zipfile_serialization=zipped)
    assert same(load_model(tmp_path / "x").state_dict(), original.state_dict())


def test_scores_that_numpy_wrote_do_not_stop_the_reading(tmp_path):
    import numpy as np

    weights = pvt_v2.OFFICIAL.to_published(classifier().state_dict())
    torch.save({"model": weights, "best": np.float64(70.5), "curve": np.arange(3)}, tmp_path / "x")
    load_model(tmp_path / "x")


def test_an_official_segmenter_brings_its_classes_and_drops_the_layer_it_never_runs(tmp_path, shaken):
    original = shaken(segmenter())
    weights = segformer.OFFICIAL.to_published(original.state_dict())
    weights["decode_head.conv_seg.weight"] = torch.zeros(5, 128, 1, 1)
    weights["decode_head.conv_seg.bias"] = torch.zeros(5)
    classes, palette = ("a", "b", "c", "d", "e"), [[i, i, i] for i in range(5)]
    torch.save({"state_dict": weights, "meta": {"CLASSES": classes, "PALETTE": palette}}, tmp_path / "x")
    model = load_model(tmp_path / "x")
    assert same(model.state_dict(), original.state_dict())
    labels = model.config["data"]["labels"]
    assert (labels["names"], labels["palette"]) == (list(classes), palette)
    assert model.config["data"]["eval_transform"]["base_size"] == [2048, 512]


def test_an_official_depth_model_takes_the_plain_image_and_the_range_it_is_told(tmp_path, shaken):
    original = shaken(estimator())
    weights = glpn.OFFICIAL.to_published(original.state_dict())
    torch.save({f"module.{name}": tensor for name, tensor in weights.items()}, tmp_path / "x")
    model = load_model(tmp_path / "x", max_depth=80)
    assert same(model.state_dict(), original.state_dict())
    assert model.head.max_depth == 80
    assert load_model(tmp_path / "x").head.max_depth == 10
    assert model.config["data"]["normalize"]["mean"] == [0, 0, 0]


def test_the_encoder_of_a_detector_can_be_had(tmp_path, shaken):
    backbone = shaken(pvt_v2_b0())
    state = {f"backbone.{name}": tensor for name, tensor in backbone.state_dict().items()}
    weights = {f"backbone.{name}": tensor for name, tensor in pvt_v2.OFFICIAL.to_published(state).items()}
    torch.save({"state_dict": {**weights, "neck.conv.weight": torch.zeros(3)}}, tmp_path / "x")
    assert same(load_backbone(tmp_path / "x").state_dict(), backbone.state_dict())


def test_half_precision_becomes_float32(tmp_path):
    weights = pvt_v2.TIMM.to_published(classifier().half().state_dict())
    torch.save(weights, tmp_path / "x")
    assert all(tensor.dtype == torch.float32 for tensor in load_model(tmp_path / "x").state_dict().values())
