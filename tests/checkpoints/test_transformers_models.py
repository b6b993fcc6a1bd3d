"""transformers' models against ours: saved by `save_pretrained` and read by us, saved
by us and opened by them.
"""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForDepthEstimation,
    AutoModelForImageClassification,
    AutoModelForSemanticSegmentation,
    GLPNConfig,
    GLPNForDepthEstimation,
    PvtV2Backbone,
    PvtV2Config,
    PvtV2ForImageClassification,
    PvtV2Model,
    SegformerConfig,
    SegformerForImageClassification,
    SegformerForSemanticSegmentation,
    SegformerModel,
)

from pvtseg.backbones.pvt_v2 import mit_b0, pvt_v2_b0, pvt_v2_b2_linear
from pvtseg.errors import UserError
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.load import load_backbone, load_model, save_model
from pvtseg.model import Model

WIDE = [64, 128, 320, 512]
B2 = {"hidden_sizes": WIDE, "depths": [3, 4, 6, 3]}
VARIANTS = {
    "b0": {},
    "b1": {"hidden_sizes": WIDE},
    "b2": B2,
    "b2_linear": {**B2, "linear_attention": True},
    "b3": {"hidden_sizes": WIDE, "depths": [3, 4, 18, 3]},
    "b4": {"hidden_sizes": WIDE, "depths": [3, 8, 27, 3]},
    "b5": {"hidden_sizes": WIDE, "depths": [3, 6, 40, 3], "mlp_ratios": [4, 4, 4, 4]},
}
BOUND = 1e-4


def classifier(variant):
    return PvtV2ForImageClassification(PvtV2Config(**VARIANTS[variant], num_labels=5))


def segmenter(**options):
    return SegformerForSemanticSegmentation(SegformerConfig(num_labels=9, **options))


def estimator(**options):
    return GLPNForDepthEstimation(GLPNConfig(**options))


MODELS = {
    "PVT v2 b0": lambda: classifier("b0"),
    "PVT v2 b1": lambda: classifier("b1"),
    "PVT v2 b2": lambda: classifier("b2"),
    "PVT v2 b2_linear": lambda: classifier("b2_linear"),
    "SegFormer b0": segmenter,
    "SegFormer b2": lambda: segmenter(**B2, decoder_hidden_size=768),
    "MiT classifier": lambda: SegformerForImageClassification(SegformerConfig(num_labels=5)),
    "GLPN b0": estimator,
    "GLPN b2, 80 m": lambda: estimator(**B2, max_depth=80),
}


def outputs_of(model, picture):
    output = model(picture)
    return output.predicted_depth[:, None] if "predicted_depth" in output else output.logits


def difference(ours, theirs):
    return float((ours - theirs).abs().max())


@torch.inference_mode()
@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_is_read_and_gives_the_same_outputs(name, tmp_path, image, shaken):
    theirs = shaken(MODELS[name]())
    theirs.save_pretrained(tmp_path)
    ours = load_model(tmp_path)
    for picture in (image(96, 128), image(64, 64)):
        assert difference(ours(picture), outputs_of(theirs, picture)) < BOUND


@torch.inference_mode()
@pytest.mark.slow
@pytest.mark.parametrize("variant", ["b3", "b4", "b5"])
def test_the_large_classifiers_give_the_same_outputs(variant, tmp_path, image, shaken):
    theirs = shaken(classifier(variant))
    theirs.save_pretrained(tmp_path)
    picture = image(96, 128)
    assert difference(load_model(tmp_path)(picture), theirs(picture).logits) < BOUND


@torch.inference_mode()
def test_the_four_maps_are_those_of_the_plain_model_and_of_the_backbone(tmp_path, image, shaken):
    picture = image(65, 97)
    plain = shaken(PvtV2Model(PvtV2Config()))
    plain.save_pretrained(tmp_path / "plain")
    their_maps = plain(picture, output_hidden_states=True).hidden_states
    for our_map, their_map in zip(load_backbone(tmp_path / "plain")(picture), their_maps, strict=True):
        assert difference(our_map, their_map) < BOUND

    backbone = shaken(PvtV2Backbone(PvtV2Config(out_features=["stage1", "stage2", "stage3", "stage4"])))
    backbone.save_pretrained(tmp_path / "backbone")
    their_maps = backbone(picture).feature_maps
    for our_map, their_map in zip(load_backbone(tmp_path / "backbone")(picture), their_maps, strict=True):
        assert difference(our_map, their_map) < BOUND


@pytest.mark.parametrize("name", ["SegFormer b0", "MiT classifier", "GLPN b0", "PVT v2 b0"])
def test_names_of_transformers_4_and_5_are_both_read(name, tmp_path, shaken):
    theirs = shaken(MODELS[name]())
    theirs.save_pretrained(tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    from_written = load_model(tmp_path).state_dict()

    (tmp_path / "model.safetensors").unlink()
    in_memory = {key: tensor.clone() for key, tensor in theirs.state_dict().items()}
    torch.save(in_memory, tmp_path / "pytorch_model.bin")
    from_memory = load_model(tmp_path).state_dict()

    assert (written.keys() != in_memory.keys()) == (name in ("SegFormer b0", "MiT classifier"))
    assert from_written.keys() == from_memory.keys()
    assert all(torch.equal(from_written[key], from_memory[key]) for key in from_written)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["PVT v2 b0", "PVT v2 b2_linear", "SegFormer b0", "MiT classifier", "GLPN b0"])
def test_transformers_opens_what_is_saved_for_it(name, tmp_path, image, shaken):
    theirs = shaken(MODELS[name]())
    theirs.save_pretrained(tmp_path / "theirs")
    folder = save_model(load_model(tmp_path / "theirs"), tmp_path / "ours", layout="huggingface")
    opener = {"S": AutoModelForSemanticSegmentation, "G": AutoModelForDepthEstimation}.get(
        name[0], AutoModelForImageClassification
    )
    again, info = opener.from_pretrained(folder, output_loading_info=True)
    assert type(again) is type(theirs)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert all(
        torch.equal(a, b) for a, b in zip(again.state_dict().values(), theirs.state_dict().values(), strict=True)
    )
    picture = image(64, 96)
    assert difference(outputs_of(again.eval(), picture), outputs_of(theirs, picture)) < 1e-5


@torch.inference_mode()
def test_a_model_put_together_by_hand_is_opened_by_transformers(tmp_path, image, shaken):
    backbone = pvt_v2_b0()
    ours = shaken(Model(backbone, SegFormerHead(backbone.channels, 4)))
    folder = save_model(ours, tmp_path, layout="huggingface")
    picture = image(64, 96)
    theirs = AutoModelForSemanticSegmentation.from_pretrained(folder).eval()
    assert theirs.config.mlp_ratios == [8, 8, 4, 4]
    assert difference(ours(picture), theirs(picture).logits) < BOUND  # not equal: SegFormer's epsilon is another


@pytest.mark.parametrize("kind", [SegformerModel, PvtV2Model])
def test_an_encoder_alone_keeps_its_kind(kind, tmp_path):
    theirs = kind(kind.config_class())
    theirs.save_pretrained(tmp_path / "theirs")
    folder = save_model(load_backbone(tmp_path / "theirs"), tmp_path / "ours", layout="huggingface")
    again = kind.from_pretrained(folder)
    assert all(
        torch.equal(a, b) for a, b in zip(again.state_dict().values(), theirs.state_dict().values(), strict=True)
    )


def test_classes_and_depth_range_come_along(tmp_path):
    names = {0: "wall", 1: "floor", 2: "wall"}
    segmenting = SegformerForSemanticSegmentation(SegformerConfig(id2label=names, semantic_loss_ignore_index=254))
    segmenting.save_pretrained(tmp_path / "segformer")
    labels = load_model(tmp_path / "segformer").config["data"]["labels"]
    assert labels["names"] == ["wall (0)", "floor", "wall (2)"]  # a class is known by its name: no two may share one
    assert labels["ignore_index"] == 254

    estimator(max_depth=80).save_pretrained(tmp_path / "glpn")
    config = load_model(tmp_path / "glpn").config
    assert config["data"]["depth"]["max"] == config["head"]["max_depth"] == 80


def test_classes_without_names_stay_without(tmp_path):
    classifier("b0").save_pretrained(tmp_path)
    assert load_model(tmp_path).config["data"]["labels"]["names"] is None


@pytest.mark.parametrize(
    ("name", "convention", "eps"),
    [
        ("PVT v2 b0", None, (1e-6, 1e-6)),
        ("SegFormer b0", None, (1e-5, 1e-5)),
        ("GLPN b0", None, (1e-5, 1e-5)),
        *((name, "official", (1e-5, 1e-6)) for name in ("PVT v2 b0", "SegFormer b0", "GLPN b0")),
    ],
)
def test_norms_have_the_epsilon_of_the_code_they_come_from_unless_told(name, convention, eps, tmp_path):
    MODELS[name]().save_pretrained(tmp_path)
    model = load_model(tmp_path, norm_eps=convention)
    stages = model.backbone.stages
    seen = {
        (stage.embed.norm.eps, block.norm1.eps, block.norm2.eps, stage.norm.eps)
        for stage in stages
        for block in stage.blocks
    }
    assert seen == {(eps[0], eps[1], eps[1], eps[1])}
    assert stages[0].blocks[0].attention.reduce.norm.eps == eps[0]


def test_what_transformers_cannot_hold_is_refused_with_what_can(tmp_path):
    backbone = pvt_v2_b2_linear()
    model = Model(backbone, SegFormerHead(backbone.channels, 3))
    with pytest.raises(
        UserError, match="segformer has no linear attention; save with layout=pvtseg or layout=official"
    ):
        save_model(model, tmp_path, layout="huggingface")
    backbone = mit_b0()
    with pytest.raises(UserError, match="counts whole meters; save with layout=pvtseg"):
        save_model(Model(backbone, GLPNHead(backbone.channels, max_depth=2.5)), tmp_path, layout="huggingface")
    with pytest.raises(UserError, match="no layout 'onnx'; use one of pvtseg, huggingface, timm, official"):
        save_model(model, tmp_path, layout="onnx")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_attention_heads", [1, 2, 4, 7]),
        ("num_attention_heads", [1, 2, 4]),
        ("num_attention_heads", 8),
        ("strides", [2, 2, 2, 2]),
        ("patch_sizes", [4, 2, 2, 2]),
        ("num_encoder_blocks", 3),
        ("hidden_act", "laplace"),
        ("depths", [1, 2, 2, 2]),
        ("sr_ratios", [4, 4, 2, 1]),
        ("decoder_hidden_size", 128),
        ("reshape_last_stage", False),
    ],
)
def test_settings_that_contradict_the_weights_or_cannot_be_built_are_named(key, value, tmp_path):
    segmenter().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(UserError, match=f"config.json says {key}") as refusal:
        load_model(tmp_path)
    assert "\n" not in str(refusal.value)


SETTINGS = {
    "other numbers of heads": {"num_attention_heads": [2, 4, 5, 8]},
    "other reductions": {"sr_ratios": [4, 2, 2, 1]},
    "a reduction in the last stage": {"sr_ratios": [8, 4, 2, 2]},
    "other widths": {"hidden_sizes": [16, 32, 80, 128]},
    "other MLP ratios": {"mlp_ratios": [2, 3, 4, 5]},
    "other depths": {"depths": [1, 1, 3, 2]},
    "ReLU": {"hidden_act": "relu"},
    "SiLU": {"hidden_act": "silu"},
    "tanh for GELU": {"hidden_act": "gelu_new"},
    "four channels": {"num_channels": 4},
}


@torch.inference_mode()
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("family", ["pvt_v2", "segformer"])
def test_other_settings_of_transformers_are_built(family, settings, tmp_path, image, shaken):
    theirs = shaken(
        PvtV2ForImageClassification(PvtV2Config(num_labels=5, **settings))
        if family == "pvt_v2"
        else segmenter(**settings)
    )
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(tmp_path / "theirs")
    picture = image(65, 97, channels=settings.get("num_channels", 3))
    assert difference(ours(picture), outputs_of(theirs, picture)) < BOUND

    folder = save_model(ours, tmp_path / "ours", layout="huggingface")
    again = type(theirs).from_pretrained(folder).eval()
    assert difference(outputs_of(again, picture), outputs_of(theirs, picture)) < 1e-5


@torch.inference_mode()
def test_projections_without_biases_are_built(tmp_path, image, shaken):
    theirs = shaken(PvtV2ForImageClassification(PvtV2Config(num_labels=5, qkv_bias=False)))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(tmp_path / "theirs")
    assert difference(ours(image(65, 97)), theirs(image(65, 97)).logits) < BOUND
    folder = save_model(ours, tmp_path / "ours", layout="huggingface")
    assert not type(theirs).from_pretrained(folder).config.qkv_bias


def test_glpn_whose_head_starts_elsewhere_is_refused(tmp_path):
    estimator(head_in_index=0).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="config.json says head_in_index 0; pvtseg builds -1 only"):
        load_model(tmp_path)
