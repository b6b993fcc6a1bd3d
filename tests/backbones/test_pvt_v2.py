"""The encoder against the paper's counts, timm's implementation, and what its options
promise.
"""

from __future__ import annotations

import math
import re
from functools import partial

import pytest
import torch
from flops import multiply_adds
from safetensors.torch import save_file
from torch import nn

import pvtseg
from pvtseg.backbones.pvt_v2 import PyramidVisionTransformer
from pvtseg.backbones.pvt_v2.activations import ACTIVATIONS
from pvtseg.backbones.pvt_v2.variants import variant_of

NARROW, WIDE = (32, 64, 160, 256), (64, 128, 320, 512)
PUBLISHED = {  # parameters of the encoder: the official code's own
    "pvt_v2_b0": (3_409_760, NARROW),
    "pvt_v2_b1": (13_496_000, WIDE),
    "pvt_v2_b2": (24_849_856, WIDE),
    "pvt_v2_b2_linear": (22_040_512, WIDE),
    "pvt_v2_b3": (44_725_696, WIDE),
    "pvt_v2_b4": (62_043_072, WIDE),
    "pvt_v2_b5": (81_443_008, WIDE),
    "mit_b0": (3_319_392, NARROW),
    "mit_b1": (13_151_424, WIDE),
    "mit_b2": (24_196_288, WIDE),
    "mit_b3": (44_072_128, WIDE),
    "mit_b4": (60_842_688, WIDE),
    "mit_b5": (81_443_008, WIDE),
}
GMACS = [  # of the encoder, at square images of this side
    ("pvt_v2_b0", 224, 0.566),
    ("pvt_v2_b1", 224, 2.108),
    ("pvt_v2_b2", 224, 4.027),
    ("pvt_v2_b2_linear", 224, 3.889),
    ("pvt_v2_b3", 224, 6.897),
    ("pvt_v2_b4", 224, 10.101),
    ("pvt_v2_b5", 224, 11.717),
    ("pvt_v2_b0", 512, 3.80),
    ("pvt_v2_b2_linear", 512, 19.40),
]


def on_meta(name: str, **options) -> PyramidVisionTransformer:
    with torch.device("meta"):
        return getattr(pvtseg, name)(**options)


def randomized(model: nn.Module) -> nn.Module:
    """Every number is one that matters: norms that scale and shift, biases that are not
    zero.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.2 * noise if "norm" in name and name.endswith("weight") else 0.1 * noise)
    return model


def image_of(*size: int, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_variant_has_as_many_parameters_as_the_official_code(name):
    expected, channels = PUBLISHED[name]
    backbone = on_meta(name)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == expected
    assert tuple(backbone.channels) == channels
    assert tuple(backbone.strides) == (4, 8, 16, 32)


@pytest.mark.parametrize(("name", "side", "gmacs"), GMACS)
def test_multiply_adds_are_those_of_the_official_count(name, side, gmacs):
    assert multiply_adds(on_meta(name), (side, side)) / 1e9 == pytest.approx(gmacs, rel=0.01)


@pytest.mark.parametrize("name", ["pvt_v2_b0", "pvt_v2_b2_linear", "mit_b0"])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (193, 317), (64, 96)])
def test_features_come_at_strides_4_8_16_32(name, size):
    backbone = on_meta(name)
    features = backbone(torch.empty(2, 3, *size, device="meta"))
    for maps, channels, stride in zip(features, backbone.channels, (4, 8, 16, 32), strict=True):
        assert maps.shape == (2, channels, math.ceil(size[0] / stride), math.ceil(size[1] / stride))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_features_are_channels_last_whatever_the_image_is(memory_format):
    features = pvtseg.mit_b0()(image_of(33, 47).contiguous(memory_format=memory_format))
    assert [tuple(maps.shape[2:]) for maps in features] == [(9, 12), (5, 6), (3, 3), (2, 2)]
    for maps in features:
        assert maps.is_contiguous(memory_format=torch.channels_last)


def test_the_memory_format_of_the_image_does_not_change_the_features():
    backbone = randomized(pvtseg.pvt_v2_b0()).eval()
    image = image_of(64, 64)
    for plain, last in zip(backbone(image), backbone(image.contiguous(memory_format=torch.channels_last)), strict=True):
        torch.testing.assert_close(plain, last, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "smallest"),
    [
        ({}, 29),  # 8 x 8 tokens are merged, in a map of ceil(H / 4) rows
        ({"reductions": (4, 4, 2, 1)}, 25),  # stage 2: 4 x 4 tokens, in a map of ceil(H / 8) rows
        ({"reductions": (1, 1, 2, 1)}, 17),
        ({"reductions": (1, 1, 2, 1), "out_indices": (0, 1)}, 1),  # stage 3 does not run
        ({"linear": True}, 1),
    ],
)
def test_images_are_refused_below_what_the_reductions_need_and_only_there(options, smallest):
    backbone = pvtseg.mit_b0(**options).eval()
    with torch.no_grad():
        for size in ((smallest, 64), (64, smallest), (smallest, smallest)):
            assert all(maps.isfinite().all() for maps in backbone(image_of(*size)))
        if smallest > 1:
            with pytest.raises(pvtseg.UserError, match=f"{smallest - 1} x 64.*at least {smallest} x {smallest}"):
                backbone(image_of(smallest - 1, 64))


def test_other_numbers_of_channels_work_and_the_wrong_one_is_refused():
    backbone = on_meta("pvt_v2_b0", in_channels=5)
    assert backbone(torch.empty(1, 5, 32, 32, device="meta"))[0].shape == (1, 32, 8, 8)
    with pytest.raises(pvtseg.UserError, match=r"3 channels.*5.*backbone\.in_channels=3"):
        backbone(torch.empty(1, 3, 32, 32, device="meta"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("in_channels", 0),
        ("drop_path_rate", 1.0),
        ("drop_path_rate", -0.1),
        ("frozen_stages", 5),
        ("frozen_stages", -1),
    ],
)
def test_options_out_of_their_range_are_refused_by_name(option, value):
    with pytest.raises(pvtseg.UserError, match=f"backbone.{option}={value}"):
        on_meta("pvt_v2_b0", **{option: value})


def test_an_unknown_option_is_an_error():
    with pytest.raises(TypeError, match="drop_rate"):
        pvtseg.pvt_v2_b0(drop_rate=0.1)


# -- against timm --------------------------------------------------------------------------------------------------

TO_TIMM = [
    (r"^stages\.0\.embed\.", "patch_embed."),
    (r"\.embed\.", ".downsample."),
    (r"((patch_embed|downsample)\.)project\.", r"\1proj."),
    (r"\.attention\.reduce\.conv\.", ".attn.sr."),
    (r"\.attention\.reduce\.norm\.", ".attn.norm."),
    (r"\.attention\.query\.", ".attn.q."),
    (r"\.attention\.key_value\.", ".attn.kv."),
    (r"\.attention\.project\.", ".attn.proj."),
    (r"\.mlp\.expand\.", ".mlp.fc1."),
    (r"\.mlp\.depthwise\.", ".mlp.dwconv."),
    (r"\.mlp\.contract\.", ".mlp.fc2."),
]


def in_timm_names(state: dict) -> dict:
    renamed = {}
    for name, tensor in state.items():
        for pattern, replacement in TO_TIMM:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    return renamed


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (partial(pvtseg.pvt_v2_b0), ("pvt_v2_b0", {})),
        (partial(pvtseg.pvt_v2_b0, linear=True), ("pvt_v2_b0", {"linear": True})),
        (partial(pvtseg.mit_b0), ("pvt_v2_b0", {"mlp_ratios": (4, 4, 4, 4)})),
        (partial(pvtseg.pvt_v2_b2_linear), ("pvt_v2_b2_li", {})),
    ],
    ids=["b0", "b0 linear", "mit_b0", "b2_linear"],
)
def test_features_equal_those_of_timm(ours, theirs):
    timm = pytest.importorskip("timm")
    backbone = randomized(ours()).eval()
    name, options = theirs
    reference = timm.create_model(name, num_classes=0, **options).eval()
    reference.load_state_dict(in_timm_names(backbone.state_dict()))
    image = image_of(65, 97)
    with torch.no_grad():
        expected = reference.forward_intermediates(image, intermediates_only=True)
        features = backbone(image)
    for maps, others in zip(features, expected, strict=True):
        assert others.std() > 0.1  # or the comparison would say nothing
        torch.testing.assert_close(maps, others, rtol=0, atol=1e-5)


# -- against transformers ------------------------------------------------------------------------------------------

SIZES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 2, 1, 1]}
OURS = {"channels": SIZES["hidden_sizes"], "depths": SIZES["depths"]}
TO_PVT_V2 = [
    (r"^stages\.", "encoder.layers."),
    (r"\.embed\.project\.", ".patch_embedding.proj."),
    (r"\.embed\.norm\.", ".patch_embedding.layer_norm."),
    (r"^(encoder\.layers\.\d+)\.norm\.", r"\1.layer_norm."),
    (r"\.norm([12])\.", r".layer_norm_\1."),
    (r"\.attention\.project\.", ".attention.proj."),
    (r"\.reduce\.conv\.", ".spatial_reduction."),
    (r"\.reduce\.norm\.", ".layer_norm."),
    (r"\.expand\.", ".dense1."),
    (r"\.depthwise\.", ".dwconv.dwconv."),
    (r"\.contract\.", ".dense2."),
]
TO_SEGFORMER = [  # as files of transformers 4, which version 5 reads, too
    (r"^stages\.(\d)\.embed\.project\.", r"encoder.patch_embeddings.\1.proj."),
    (r"^stages\.(\d)\.embed\.norm\.", r"encoder.patch_embeddings.\1.layer_norm."),
    (r"^stages\.(\d)\.norm\.", r"encoder.layer_norm.\1."),
    (r"^stages\.(\d)\.blocks\.", r"encoder.block.\1."),
    (r"\.norm([12])\.", r".layer_norm_\1."),
    (r"\.attention\.project\.", ".attention.output.dense."),
    (r"\.attention\.reduce\.conv\.", ".attention.self.sr."),
    (r"\.attention\.reduce\.norm\.", ".attention.self.layer_norm."),
    (r"\.attention\.(query|key|value)\.", r".attention.self.\1."),
    *TO_PVT_V2[-3:],
]


def in_transformers_names(state: dict, table: list[tuple[str, str]]) -> dict:
    renamed = {}
    for name, tensor in state.items():
        key, value = name.replace("key_value", "key"), name.replace("key_value", "value")
        parts = zip((key, value), tensor.chunk(2), strict=True) if "key_value" in name else [(name, tensor)]
        for part, piece in parts:
            for pattern, replacement in table:
                part = re.sub(pattern, replacement, part)
            renamed[part] = piece.contiguous()
    return renamed


def assert_same_features_in_transformers(backbone, kind, config, table, image, folder):
    """Saves our weights under transformers' names, loads them there, and compares all
    four maps.
    """
    config.save_pretrained(folder)
    state = in_transformers_names(randomized(backbone).eval().state_dict(), table)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    reference, report = kind.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    with torch.no_grad():
        expected = reference.eval()(image, output_hidden_states=True).hidden_states
        features = backbone(image)
    for maps, others in zip(features, expected[-4:], strict=True):
        assert others.std() > 0.1
        torch.testing.assert_close(maps, others, rtol=0, atol=2e-5)


PVT_V2_OPTIONS = {
    "heads": ({"num_heads": (2, 4, 3, 4)}, {"num_attention_heads": [2, 4, 3, 4]}),
    "reductions": ({"reductions": (4, 2, 1, 1)}, {"sr_ratios": [4, 2, 1, 1]}),
    "no bias": ({"qkv_bias": False}, {"qkv_bias": False}),
    "linear without bias": ({"qkv_bias": False, "linear": True}, {"qkv_bias": False, "linear_attention": True}),
    **{name: ({"activation": name}, {"hidden_act": name}) for name in ACTIVATIONS},
}


@pytest.mark.parametrize("size", [(65, 97), (31, 64)], ids=["odd", "below 32"])
@pytest.mark.parametrize(("ours", "theirs"), PVT_V2_OPTIONS.values(), ids=PVT_V2_OPTIONS)
def test_features_equal_those_of_transformers_pvt_v2_with_the_same_options(ours, theirs, size, tmp_path):
    transformers = pytest.importorskip("transformers")
    backbone = PyramidVisionTransformer(
        **OURS, mlp_ratios=(4, 4, 2, 2), **{"num_heads": (1, 2, 3, 8), "embed_eps": 1e-6} | ours
    )
    config = transformers.PvtV2Config(
        **SIZES, mlp_ratios=[4, 4, 2, 2], **{"num_attention_heads": [1, 2, 3, 8]} | theirs
    )
    assert_same_features_in_transformers(
        backbone, transformers.PvtV2Model, config, TO_PVT_V2, image_of(*size), tmp_path
    )


@pytest.mark.parametrize("size", [(29, 29), (31, 64), (65, 97)])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_features_equal_those_of_transformers_segformer_with_the_same_options(activation, size, tmp_path):
    transformers = pytest.importorskip("transformers")
    options = {"num_heads": (2, 4, 3, 8), "activation": activation, "embed_eps": 1e-5, "norm_eps": 1e-5}
    backbone = PyramidVisionTransformer(**OURS, mlp_ratios=(4, 4, 4, 4), **options)
    config = transformers.SegformerConfig(**SIZES, num_attention_heads=[2, 4, 3, 8], hidden_act=activation)
    kind = transformers.SegformerModel
    assert_same_features_in_transformers(backbone, kind, config, TO_SEGFORMER, image_of(*size), tmp_path)


def test_transformers_fails_one_pixel_below_our_smallest_image():
    transformers = pytest.importorskip("transformers")
    reference = transformers.PvtV2Model(transformers.PvtV2Config(**SIZES, num_attention_heads=[1, 2, 3, 8]))
    smallest = pvtseg.mit_b0().smallest
    reference(image_of(smallest, smallest))
    with pytest.raises(RuntimeError, match="size"):
        reference(image_of(smallest - 1, 64))


@pytest.mark.parametrize("size", [(31, 64), (29, 29), (40, 30)])
def test_features_of_small_images_equal_those_of_timm(size):
    timm = pytest.importorskip("timm")
    backbone = randomized(pvtseg.pvt_v2_b0()).eval()
    reference = timm.create_model("pvt_v2_b0", num_classes=0).eval()
    reference.load_state_dict(in_timm_names(backbone.state_dict()))
    with torch.no_grad():
        expected = reference.forward_intermediates(image_of(*size), intermediates_only=True)
        features = backbone(image_of(*size))
    for maps, others in zip(features, expected, strict=True):
        torch.testing.assert_close(maps, others, rtol=0, atol=1e-5)


# -- options -------------------------------------------------------------------------------------------------------


def test_paths_are_dropped_ever_more_often_towards_the_last_block():
    backbone = on_meta("pvt_v2_b2", drop_path_rate=0.3)
    rates = [block.drop_path.p for stage in backbone.stages for block in stage.blocks]
    assert rates == pytest.approx([0.3 * i / 15 for i in range(16)])  # 3 + 4 + 6 + 3 blocks


def test_dropped_paths_change_with_every_pass_in_training_only():
    backbone = pvtseg.mit_b0(drop_path_rate=0.9)
    image = image_of(32, 32)
    assert not torch.equal(backbone(image)[3], backbone(image)[3])
    backbone.eval()
    assert torch.equal(backbone(image)[3], backbone(image)[3])


def test_frozen_stages_learn_nothing_and_drop_no_paths():
    backbone = pvtseg.mit_b0(drop_path_rate=0.9, frozen_stages=2)
    backbone.eval()
    backbone.train()  # as a trainer does at the start of every epoch
    image = image_of(64, 64)
    first, second = backbone(image), backbone(image)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[3], second[3])
    first[3].square().sum().backward()
    assert all(parameter.grad is None for stage in backbone.stages[:2] for parameter in stage.parameters())
    assert all(parameter.requires_grad for stage in backbone.stages[2:] for parameter in stage.parameters())
    assert backbone.stages[2].embed.project.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("indices", [(0, 1, 2, 3), (1, 2, 3), (0, 2), (3,), (0,)])
def test_out_indices_choose_maps_and_describe_them(indices):
    whole, some = pvtseg.mit_b0().eval(), pvtseg.mit_b0(out_indices=indices).eval()
    some.load_state_dict(whole.state_dict())
    assert some.channels == tuple(NARROW[i] for i in indices)
    assert some.strides == tuple((4, 8, 16, 32)[i] for i in indices)
    with torch.no_grad():
        expected, found = whole(image_of(64, 96)), some(image_of(64, 96))
    assert len(found) == len(indices)
    for i, maps in zip(indices, found, strict=True):
        assert torch.equal(maps, expected[i])


def test_every_trained_parameter_gets_a_gradient_with_fewer_maps():
    backbone = pvtseg.mit_b0(out_indices=(0, 1))
    backbone(image_of(32, 32))[1].sum().backward()
    trained = {name for name, parameter in backbone.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, parameter in backbone.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[1] for name in trained} == {"0", "1"}


@pytest.mark.parametrize("indices", [(), (2, 1), (0, 0), (0, 4), (-1,)])
def test_out_indices_that_name_no_maps_are_refused(indices):
    with pytest.raises(pvtseg.UserError, match=r"backbone\.out_indices=\[.*numbers from 0 to 3 that rise"):
        on_meta("mit_b0", out_indices=indices)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "swoosh"}, r"backbone\.activation=swoosh is not known; use one of gelu"),
        ({"num_heads": (1, 2, 3, 8)}, r"backbone\.num_heads=\[1, 2, 3, 8\].*use a divisor of 160 in place of 3"),
        ({"num_heads": (1, 2)}, r"backbone\.num_heads=\[1, 2\].*give 4 positive numbers"),
        ({"reductions": (8, 4, 2, 0)}, r"backbone\.reductions=\[8, 4, 2, 0\].*give 4 positive numbers"),
        ({"reductions": (4, 4, 2, 1), "linear": True}, r"backbone\.reductions=.*no effect on linear attention"),
    ],
)
def test_options_that_build_no_encoder_are_refused_by_name(options, message):
    with pytest.raises(pvtseg.UserError, match=message):
        on_meta("pvt_v2_b0", **options)


def test_layers_are_counted_by_block_in_the_order_of_the_forward_pass():
    backbone = on_meta("pvt_v2_b2")
    layers = backbone.layer_ids()
    assert layers.keys() == dict(backbone.named_parameters()).keys()
    assert layers["stages.0.embed.project.weight"] == 0
    assert layers["stages.0.blocks.0.norm1.weight"] == 1
    assert layers["stages.0.norm.weight"] == layers["stages.1.embed.norm.bias"] == 3
    assert layers["stages.1.blocks.0.mlp.expand.weight"] == 4
    assert max(layers.values()) == layers["stages.3.norm.bias"] == 3 + 4 + 6 + 3


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "mit_b5"])
def test_every_variant_is_recognized_by_its_sizes(name):
    backbone = on_meta(name)
    depths = [len(stage.blocks) for stage in backbone.stages]
    ratios = [
        stage.blocks[0].mlp.expand.out_features // width
        for stage, width in zip(backbone.stages, backbone.channels, strict=True)
    ]
    assert variant_of(list(backbone.channels), depths, ratios, linear=backbone.linear) == name


def test_sizes_that_nobody_published_have_no_name():
    assert variant_of(NARROW, (2, 2, 2, 2), (8, 8, 4, 4), linear=True) is None
    assert variant_of(NARROW, (2, 2, 2, 2), (8, 8, 8, 8)) is None
    assert variant_of((8, 16, 24, 32), (2, 2, 2, 2), (8, 8, 4, 4)) is None
    assert variant_of(WIDE, (3, 6, 40, 3), (4, 4, 4, 4)) == "pvt_v2_b5"  # MiT-B5, too


@pytest.mark.parametrize("options", [{}, {"linear": True}], ids=["conv", "linear"])
def test_gradient_checkpointing_changes_neither_features_nor_gradients(options):
    plain, thrifty = (
        randomized(pvtseg.mit_b0(drop_path_rate=0.3, gradient_checkpointing=flag, **options)) for flag in (False, True)
    )
    features = []
    for backbone in (plain, thrifty):
        torch.manual_seed(3)  # both drop the same paths
        features.append(backbone(image_of(64, 64)))
        sum(maps.square().sum() for maps in features[-1]).backward()
    for maps, others in zip(*features, strict=True):
        torch.testing.assert_close(maps, others)
    for (name, parameter), other in zip(plain.named_parameters(), thrifty.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, msg=name)


def test_gradient_checkpointing_keeps_fewer_numbers_for_the_backward_pass():
    def kept(backbone: nn.Module) -> int:
        total = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal total
            total += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            backbone(image_of(64, 64))
        return total

    assert kept(pvtseg.mit_b0(gradient_checkpointing=True)) < kept(pvtseg.mit_b0()) / 2


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (160, 96)])
def test_linear_attention_looks_at_49_keys_in_every_stage(size):
    backbone = on_meta("pvt_v2_b0", linear=True)
    keys = []
    for module in backbone.modules():
        if hasattr(module, "key_value"):
            module.key_value.register_forward_hook(lambda _, __, output: keys.append(output.shape[1] * output.shape[2]))
    backbone(torch.empty(1, 3, *size, device="meta"))
    assert keys == [49] * 8


def test_linear_is_the_same_option_for_every_size():
    as_option, by_name = on_meta("pvt_v2_b2", linear=True), on_meta("pvt_v2_b2_linear")
    shapes, expected = ({name: p.shape for name, p in model.named_parameters()} for model in (as_option, by_name))
    assert shapes == expected


def test_a_look_in_inference_mode_does_not_spoil_training():
    backbone = pvtseg.mit_b0(linear=True)
    image = image_of(
        4 * 59, 4 * 61
    )  # sizes that nothing has seen before: what is computed once per size is computed here
    with torch.inference_mode():
        backbone(image)
    backbone(image)[3].sum().backward()


def test_a_pass_on_the_meta_device_does_not_spoil_one_on_the_cpu():
    size = (4 * 53, 4 * 47)
    with torch.device("meta"):
        pvtseg.mit_b0(linear=True)(torch.empty(1, 3, *size))
    assert pvtseg.mit_b0(linear=True)(image_of(*size))[3].isfinite().all()


# -- construction --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pvt_v2_b0", "pvt_v2_b2_linear"])
def test_norms_after_a_convolution_have_an_epsilon_of_1e_5_and_all_others_1e_6(name):
    for path, module in on_meta(name).named_modules():
        if isinstance(module, nn.LayerNorm):
            after_convolution = path.endswith(("embed.norm", "reduce.norm"))
            assert module.eps == (1e-5 if after_convolution else 1e-6), path


def test_both_epsilons_can_be_set_to_repeat_other_implementations():
    backbone = on_meta("pvt_v2_b0", embed_eps=1e-6, norm_eps=1e-3)
    found = {module.eps for module in backbone.modules() if isinstance(module, nn.LayerNorm)}
    assert found == {1e-6, 1e-3}


@pytest.mark.parametrize("linear", [False, True])
def test_initialization_is_the_official_one(linear):
    torch.manual_seed(0)
    backbone = pvtseg.pvt_v2_b1(linear=linear)
    for path, module in backbone.named_modules():
        if isinstance(module, nn.LayerNorm):
            assert module.weight.eq(1).all(), path
            assert module.bias.eq(0).all(), path
        elif isinstance(module, (nn.Linear, nn.Conv2d)):
            expected = 0.02
            if isinstance(module, nn.Conv2d):
                fan_out = math.prod(module.kernel_size) * module.out_channels / module.groups
                expected = math.sqrt(2 / fan_out)
            error_of_the_estimate = 5 / math.sqrt(2 * module.weight.numel())
            assert module.weight.std().item() == pytest.approx(expected, rel=error_of_the_estimate), path
            assert abs(module.weight.mean().item()) < 5 * expected / math.sqrt(module.weight.numel()), path
            assert module.bias.eq(0).all(), path
