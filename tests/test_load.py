"""The front door to checkpoints: options, our own files, and training from weights."""

import json
import sys

import numpy as np
import pytest
import torch

from pvtseg.backbones.pvt_v2 import mit_b0, pvt_v2_b0, pvt_v2_b1
from pvtseg.build import build_model
from pvtseg.checkpoints.families import pvt_v2
from pvtseg.checkpoints.files import CONFIG_KEY, pack, unpack
from pvtseg.checkpoints.io import read_weights
from pvtseg.errors import UserError
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.load import load_backbone, load_initial, load_model, load_predictor, load_pretrained, save_model
from pvtseg.model import Model

NAMES = ["wall", "floor", "door"]


def config_of(names, *, backbone="pvt_v2_b0", in_channels=3, channels=32):
    """What a training run stores."""
    return {
        "task": {"name": "segmentation"},
        "backbone": {
            "_target_": f"pvtseg.backbones.pvt_v2.variants.{backbone}",
            "in_channels": in_channels,
            "norm_eps": 1e-6,
        },
        "head": {
            "_target_": "pvtseg.heads.segformer.SegFormerHead",
            "num_classes": len(names),
            "channels": channels,
        },
        "postprocess": {"_target_": "pvtseg.tasks.segmentation.SegmentationPostProcess"},
        "visualizer": {
            "_target_": "pvtseg.tasks.segmentation.SegmentationVisualizer",
            "names": names,
            "palette": [[50 * index] * 3 for index in range(len(names))],
        },
        "inference": {"_target_": "pvtseg.inference.whole.Whole"},
        "data": {
            "labels": {"_target_": "pvtseg.data.target_info.ClassInfo", "names": names, "num_classes": len(names)},
            "normalize": {"_target_": "pvtseg.data.normalize.Normalize", "mean": [0.5] * 3, "std": [0.5] * 3},
            "eval_transform": {"_target_": "pvtseg.data.transforms.evaluation.Original"},
        },
    }


@pytest.fixture
def trained(tmp_path):
    """A folder with a model that knows wall, floor and door."""
    torch.manual_seed(0)
    return save_model(build_model(config_of(NAMES)), tmp_path / "trained")


@pytest.fixture
def encoder(tmp_path):
    """An official file with the weights of an encoder and a classifier."""
    torch.manual_seed(1)
    backbone = pvt_v2_b0()
    weights = pvt_v2.OFFICIAL.to_published(Model(backbone, LinearHead(backbone.channels, 5)).state_dict())
    torch.save(weights, tmp_path / "pvt_v2_b0.pth")
    return backbone, tmp_path / "pvt_v2_b0.pth"


def test_a_saved_model_comes_back_whole(trained):
    model = load_model(trained)
    assert not model.training
    assert model.config == config_of(NAMES)
    again = load_model(save_model(model, trained / "again"))
    assert again.config == model.config
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    assert json.loads((trained / "config.json").read_text())["config"] == model.config


def test_whoever_may_read_the_folder_may_read_the_weights(trained):
    assert (trained / "model.safetensors").stat().st_mode == (trained / "config.json").stat().st_mode


def test_the_checkpoint_of_a_run_is_read_like_the_folder(trained):
    config, state = unpack(read_weights(trained / "model.safetensors"))
    content = {
        CONFIG_KEY: pack(config),
        "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
        "global_step": 3,
    }
    content["state_dict"]["loss.weight"] = torch.ones(3)
    torch.save(content, trained / "last.ckpt")
    ours = load_model(trained / "last.ckpt").state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in state.items())


def test_a_backbone_gives_the_maps_that_are_wanted(encoder):
    backbone, path = encoder
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        (finest, coarsest), all_maps = load_backbone(path, out_indices=(0, 3))(image), backbone.eval()(image)
    assert torch.allclose(finest, all_maps[0], atol=1e-5)
    assert torch.allclose(coarsest, all_maps[3], atol=1e-5)
    assert load_backbone(path, out_indices=[1, 2]).channels == (64, 160)


def several_heads(**changed):
    """What a run with an auxiliary head stores."""
    config = config_of(NAMES)
    auxiliary = {"_target_": "pvtseg.heads.fcn.FCNHead", "num_classes": 3, "stage": 3, "channels": 8, "dropout": 0.1}
    loss = {"_target_": "pvtseg.losses.cross_entropy.CrossEntropy", "ignore_index": 255}
    weighted = {"_target_": "pvtseg.losses.weighted.Weighted", "loss": loss, "weight": 0.4}
    return {
        **config,
        "head": {"segmentation": config["head"], "fcn": auxiliary},
        "loss": {"segmentation": loss, "fcn": weighted},
        **changed,
    }


def test_an_auxiliary_head_is_left_out_of_the_model(tmp_path):
    trained = build_model(several_heads())
    loaded = load_model(save_model(trained, tmp_path))
    assert type(loaded.head) is SegFormerHead
    assert loaded.config["head"] == config_of(NAMES)["head"]
    assert loaded.config["loss"] == several_heads()["loss"]["segmentation"]
    assert all(
        torch.equal(loaded.head.state_dict()[name], tensor)
        for name, tensor in trained.head["segmentation"].state_dict().items()
    )
    assert load_predictor(tmp_path)(np.zeros((64, 80, 3), np.uint8)).shape == (64, 80)
    assert load_model(save_model(loaded, tmp_path / "again")).config == loaded.config


def test_a_configuration_that_lacks_a_part_of_the_prediction_is_refused(tmp_path):
    config = {key: value for key, value in config_of(NAMES).items() if key != "visualizer"}
    source = save_model(build_model(config), tmp_path)
    with pytest.raises(UserError, match="has no visualizer, which a predictor needs; call the model itself"):
        load_predictor(source)


def test_heads_with_a_postprocess_each_stay(tmp_path):
    postprocess = {"segmentation": config_of(NAMES)["postprocess"], "other": config_of(NAMES)["postprocess"]}
    heads = {
        "segmentation": config_of(NAMES)["head"],
        "other": config_of(["x", "y"])["head"],
        "fcn": several_heads()["head"]["fcn"],
    }
    trained = build_model(several_heads(head=heads, postprocess=postprocess))
    loaded = load_model(save_model(trained, tmp_path))
    assert set(loaded.head) == {"segmentation", "other"}
    outputs = loaded(torch.randn(1, 3, 64, 64))
    assert {name: logits.shape[1] for name, logits in outputs.items()} == {"segmentation": 3, "other": 2}


def test_a_start_keeps_the_auxiliary_head_too(tmp_path):
    source = save_model(build_model(several_heads()), tmp_path)
    model = build_model(several_heads())
    report = load_initial(model, source)
    assert not report.missing_keys
    assert not report.unexpected_keys
    plain = build_model(config_of(NAMES))
    report = load_initial(plain, source)
    assert not report.missing_keys
    assert "not used: head.fcn" in str(report)
    assert torch.equal(plain.head.classify.weight, model.head["segmentation"].classify.weight)


def test_a_backbone_takes_the_options_of_its_constructor(encoder):
    backbone, path = encoder
    loaded = load_backbone(path, drop_path_rate=0.5, frozen_stages=1)
    assert loaded.frozen_stages == 1
    assert loaded.stages[-1].blocks[-1].drop_path.p == 0.5
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in backbone.state_dict().items())
    with pytest.raises(UserError, match="no option 'drop_pth_rate'"):
        load_backbone(path, drop_pth_rate=0.5)


@pytest.mark.parametrize("in_channels", [1, 2, 4, 6])
def test_an_image_of_equal_channels_gives_the_same_maps_whatever_their_number(in_channels, encoder):
    backbone, path = encoder
    gray = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        wanted = backbone.eval()(gray.expand(-1, 3, -1, -1))
        seen = load_backbone(path, in_channels=in_channels)(gray.expand(-1, in_channels, -1, -1))
    assert all(torch.allclose(ours, theirs, atol=1e-4) for ours, theirs in zip(seen, wanted, strict=True))


@pytest.mark.parametrize("layout", ["pvtseg", "official", "timm", "huggingface"])
def test_a_backbone_alone_is_saved_and_read_again(layout, tmp_path):
    backbone = pvt_v2_b0()
    again = load_backbone(save_model(backbone, tmp_path, layout=layout)).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in backbone.state_dict().items())


def test_a_convention_for_the_norms_may_be_chosen(trained, encoder):
    _, path = encoder
    assert load_model(path).backbone.stages[0].embed.norm.eps == 1e-5
    assert load_model(path, norm_eps="huggingface").backbone.stages[0].embed.norm.eps == 1e-6
    assert load_model(trained, norm_eps="huggingface").backbone.stages[0].norm.eps == 1e-5
    with pytest.raises(UserError, match='norm_eps is \'paper\'; use "official", "huggingface"'):
        load_model(path, norm_eps="paper")


def test_pretraining_loads_the_encoder_and_tells_what_was_left(encoder):
    theirs, path = encoder
    ours = pvt_v2_b0()
    report = load_pretrained(ours, path)
    assert all(torch.equal(ours.state_dict()[name], tensor) for name, tensor in theirs.state_dict().items())
    assert str(report) == f"176 of 176 tensors from {path}; not used: head.classify"


def test_pretraining_adapts_the_first_convolution_and_says_so(encoder):
    _, path = encoder
    ours = pvt_v2_b0(in_channels=4)
    assert "first convolution adapted from 3 to 4 channels" in str(load_pretrained(ours, path))


def test_pretraining_takes_most_of_an_encoder_and_names_the_rest(encoder):
    _, path = encoder
    weights = torch.load(path)
    torch.save({name: tensor for name, tensor in weights.items() if not name.startswith("block2.0.norm")}, path)
    report = load_pretrained(pvt_v2_b0(), path)
    assert str(report).startswith("172 of 176 tensors")
    assert "random: stages.1" in str(report)
    assert report.missing_keys[0] == "stages.1.blocks.0.norm1.weight"


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (
            pvt_v2_b0,
            mit_b0,
            r"is mit_b0, the model's encoder is pvt_v2_b0 \(MiT has MLP ratios 4, 4, 4, 4.*use backbone=mit_b0",
        ),
        (mit_b0, pvt_v2_b0, r"is pvt_v2_b0, the model's encoder is mit_b0 .*use backbone=b0, or weights of mit_b0"),
        (
            pvt_v2_b1,
            pvt_v2_b0,
            r"is pvt_v2_b0, the model's encoder is pvt_v2_b1; use backbone=b0, or weights of pvt_v2_b1",
        ),
    ],
)
def test_another_encoder_is_recognized_and_named(ours, theirs, message, tmp_path):
    save_model(theirs(), tmp_path, layout="official")
    model = ours()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(UserError, match=message):
        load_pretrained(model, tmp_path)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_start_keeps_the_classes_that_both_know_by_name(trained):
    model = build_model(config_of(["sofa", "floor", "wall"]))
    fresh = model.head.classify.weight.clone()
    report = load_initial(model, trained)
    old = load_model(trained).head
    assert torch.equal(model.head.classify.weight[1], old.classify.weight[1])  # floor
    assert torch.equal(model.head.classify.weight[2], old.classify.weight[0])  # wall
    assert torch.equal(model.head.classify.weight[0], fresh[0])  # sofa
    assert torch.equal(model.head.classify.bias[2], old.classify.bias[0])
    assert torch.equal(model.head.branches[1].fuse.weight, old.branches[1].fuse.weight)
    assert "classes kept: floor, wall; classes new: sofa" in str(report)
    assert not report.missing_keys


def test_a_start_with_the_same_classes_is_the_same_model(trained):
    model = build_model(config_of(NAMES))
    report = load_initial(model, trained)
    wanted = load_model(trained).state_dict()
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in wanted.items())
    assert str(report) == f"{len(wanted)} of {len(wanted)} tensors from {trained}; classes kept: wall, floor, door"


def test_classes_without_a_common_name_start_at_random(trained):
    model = build_model(config_of(["sky", "sea"]))
    fresh = model.head.classify.weight.clone()
    report = load_initial(model, trained)
    assert torch.equal(model.head.classify.weight, fresh)
    assert "none of the 3 classes kept" in str(report)
    assert "random: head.classify" in str(report)


def test_another_kind_of_head_starts_at_random(encoder):
    theirs, path = encoder
    model = build_model(config_of(NAMES))
    report = load_initial(model, path)
    assert torch.equal(model.backbone.stages[0].norm.weight, theirs.stages[0].norm.weight)
    assert set(report.missing_keys) == {name for name in model.state_dict() if name.startswith("head.")}
    assert "not used: head.classify" in str(report)


def test_a_head_of_another_width_starts_at_random_where_it_differs(trained):
    model = build_model(config_of(NAMES, channels=16))
    report = load_initial(model, trained)
    assert "head.branches.0.project.weight" in report.missing_keys
    assert "head.classify.weight" in report.missing_keys


def test_a_depth_head_is_kept_and_another_range_is_told(tmp_path):
    backbone = mit_b0()
    source = save_model(Model(backbone, GLPNHead(backbone.channels, max_depth=10)), tmp_path)
    config = load_model(source).config
    model = build_model({**config, "head": {**config["head"], "max_depth": 80.0}})
    report = load_initial(model, source)
    assert not report.missing_keys
    assert "predictions stretched from 10 to 80 m" in str(report)


def test_a_model_put_together_by_hand_is_saved_with_what_its_weights_show(tmp_path):
    backbone = mit_b0(norm_eps=1e-5)
    model = Model(backbone, SegFormerHead(backbone.channels, 3, channels=16)).eval()
    again = load_model(save_model(model, tmp_path))
    assert again.config["backbone"]["_target_"].endswith("mit_b0")
    assert again.config["backbone"]["norm_eps"] == 1e-5
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(again(image), model(image))


class Stripes(torch.nn.Module):
    """A backbone of somebody else, whose channels say nothing about a PVT."""

    def __init__(self, channels=(8, 16, 24, 32), in_channels=3):
        super().__init__()
        self.in_channels, self.channels, self.strides = in_channels, tuple(channels), (4, 8, 16, 32)
        self.convs = torch.nn.ModuleList(
            torch.nn.Conv2d(in_channels, width, 1, stride) for width, stride in zip(channels, self.strides, strict=True)
        )

    def forward(self, image):
        return [conv(image) for conv in self.convs]


def test_a_backbone_of_ones_own_is_saved_and_loaded(tmp_path, monkeypatch):
    module = type(sys)("stripes")
    module.Stripes = Stripes
    monkeypatch.setattr(Stripes, "__module__", "stripes")
    monkeypatch.setitem(sys.modules, "stripes", module)
    config = {**config_of(NAMES), "backbone": {"_target_": "stripes.Stripes", "channels": [8, 16, 24, 40]}}
    model = build_model(config)
    again = load_model(save_model(model, tmp_path), trust=("stripes",))
    assert again.config == config
    assert again.backbone.channels == (8, 16, 24, 40)
    assert torch.equal(again.backbone.convs[3].weight, model.backbone.convs[3].weight)
    assert load_backbone(tmp_path, trust=("stripes",)).channels == (8, 16, 24, 40)
    report = load_initial(build_model(config), tmp_path, trust=("stripes",))
    assert not report.missing_keys
    with pytest.raises(UserError, match="Hugging Face has no stripes.Stripes; save with layout=pvtseg"):
        save_model(model, tmp_path, layout="huggingface")


def test_what_the_weights_of_a_model_by_hand_do_not_show_is_saved_too(tmp_path):
    backbone = mit_b0(num_heads=[2, 4, 10, 16], activation="silu", out_indices=(0, 1, 3)).eval()
    again = load_backbone(save_model(backbone, tmp_path))
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(again(image), backbone(image), strict=True))
    assert len(again(image)) == 3


def test_a_foreign_model_by_hand_is_refused_in_one_line(tmp_path):
    model = Model(Stripes(), LinearHead((8, 16, 24, 32), 3))
    with pytest.raises(
        UserError, match="a model with the backbone Stripes needs its configuration; build it by build_model"
    ):
        save_model(model, tmp_path)
