"""The encoder against the paper's counts, timm's implementation, and what its options promise."""

import math
import re
from functools import partial

import pytest
import torch
from torch import nn

import pvtseg
from pvtseg.backbones.pvt_v2 import PyramidVisionTransformer
from pvtseg.model import ImageModel, count_multiply_adds

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


def randomised(model: nn.Module) -> nn.Module:
    """Every number is one that matters: norms that scale and shift, biases that are not zero."""
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
    model = ImageModel(on_meta(name), nn.Identity())
    assert count_multiply_adds(model, 3, (side, side)) / 1e9 == pytest.approx(gmacs, rel=0.01)


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
    backbone = randomised(pvtseg.pvt_v2_b0()).eval()
    image = image_of(64, 64)
    for plain, last in zip(backbone(image), backbone(image.contiguous(memory_format=torch.channels_last)), strict=True):
        torch.testing.assert_close(plain, last, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(31, 64), (64, 31), (16, 16)])
@pytest.mark.parametrize("name", ["pvt_v2_b0", "pvt_v2_b2_linear"])
def test_an_image_below_32_pixels_is_refused_with_its_size(name, size):
    with pytest.raises(pvtseg.UserError, match=f"{size[0]} x {size[1]}.*32 x 32"):
        on_meta(name)(torch.empty(1, 3, *size, device="meta"))


def test_other_numbers_of_channels_work_and_the_wrong_one_is_refused():
    backbone = on_meta("pvt_v2_b0", in_channels=5)
    assert backbone(torch.empty(1, 5, 32, 32, device="meta"))[0].shape == (1, 32, 8, 8)
    with pytest.raises(pvtseg.UserError, match="3 channels.*5.*in_channels=3"):
        backbone(torch.empty(1, 3, 32, 32, device="meta"))


@pytest.mark.parametrize(
    ("option", "value"),
    [("in_channels", 0), ("drop_path_rate", 1.0), ("drop_path_rate", -0.1), ("frozen_stages", 5), ("frozen_stages", -1)],
)
def test_options_out_of_their_range_are_refused_by_name(option, value):
    with pytest.raises(pvtseg.UserError, match=f"{option} is {value}"):
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
    backbone = randomised(ours()).eval()
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


@pytest.mark.parametrize("options", [{}, {"linear": True}], ids=["conv", "linear"])
def test_gradient_checkpointing_changes_neither_features_nor_gradients(options):
    plain, thrifty = (
        randomised(pvtseg.mit_b0(drop_path_rate=0.3, gradient_checkpointing=flag, **options)) for flag in (False, True)
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
    image = image_of(4 * 59, 4 * 61)  # sizes that nothing has seen before: what is computed once per size is computed here
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
def test_initialisation_is_the_official_one(linear):
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
