"""A backbone and one or several heads, joined."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import pvtseg
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.model import Heads, Model, count_multiply_adds


@pytest.fixture
def segmenter() -> Model:
    backbone = pvtseg.mit_b0()
    return Model(backbone, SegFormerHead(backbone.channels, 4, channels=8)).eval()


class SizesOfImages(nn.Module):
    """A head that returns the sizes that it was given."""

    def forward(self, features, image_size=None):
        return image_size


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 50)])
def test_the_outputs_are_those_of_the_head_on_the_backbones_features(segmenter, size):
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        outputs = segmenter(image)
        assert torch.equal(outputs, segmenter.head(segmenter.backbone(image)))
    assert outputs.shape == (2, 4, -(-size[0] // 4), -(-size[1] // 4))


def test_the_sizes_of_the_images_without_padding_reach_the_head():
    sizes = [(20, 32), (32, 30)]
    image = torch.zeros(2, 3, 32, 32)
    assert Model(pvtseg.mit_b0(), SizesOfImages())(image, sizes) == sizes
    assert Model(pvtseg.mit_b0(), SizesOfImages())(image) is None
    heads = Heads({"one": SizesOfImages(), "other": SizesOfImages()})
    assert Model(pvtseg.mit_b0(), heads)(image, sizes) == {"one": sizes, "other": sizes}


def heads_of(backbone, **options) -> Heads:
    return Heads(
        {"segmentation": SegFormerHead(backbone.channels, 4, channels=8), "class": LinearHead(backbone.channels, 6)},
        **options,
    )


def test_several_heads_give_the_outputs_of_each_by_name_from_one_pass_of_the_backbone():
    backbone = pvtseg.mit_b0()
    model = Model(backbone, heads_of(backbone)).eval()
    passes = []
    backbone.register_forward_hook(lambda *_: passes.append(1))
    image = torch.randn(2, 3, 32, 40)
    with torch.no_grad():
        outputs = model(image)
        assert len(passes) == 1
        assert outputs.keys() == {"segmentation", "class"}
        for name, found in outputs.items():
            assert torch.equal(found, Model(backbone, model.head[name])(image))


def test_an_auxiliary_head_runs_in_training_alone():
    backbone = pvtseg.mit_b0()
    model = Model(backbone, heads_of(backbone, training_only=["class"]))
    image = torch.randn(2, 3, 32, 40)
    assert model.train()(image).keys() == {"segmentation", "class"}
    assert model.eval()(image).keys() == {"segmentation"}
    assert any(name.startswith("head.class.") for name in model.state_dict())


def test_a_model_keeps_its_configuration(segmenter):
    config = {"task": {"name": "segmentation"}}
    assert Model(segmenter.backbone, segmenter.head, config=config).config == config
    assert segmenter.config == {}


class Counted(nn.Module):
    """Convolutions and matrices that can be counted on paper."""

    in_channels = 3

    def __init__(self):
        super().__init__()
        self.convolve = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, image):
        return [self.convolve(image)]


class Averaged(nn.Module):
    def __init__(self):
        super().__init__()
        self.classify = nn.Linear(8, 5)

    def forward(self, features, image_size=None):
        return self.classify(features[0].mean(dim=(2, 3)))


def test_multiply_adds_are_those_of_convolutions_and_matrices():
    assert count_multiply_adds(Model(Counted(), Averaged()), (10, 12)) == 10 * 12 * 8 * 3 * 9 + 8 * 5


def test_an_auxiliary_head_costs_no_multiply_adds():
    heads = Heads({"class": Averaged(), "auxiliary": Averaged()}, training_only=["auxiliary"])
    expected = count_multiply_adds(Model(Counted(), Averaged()), (10, 12))
    assert count_multiply_adds(Model(Counted(), heads).train(), (10, 12)) == expected


def test_counting_leaves_the_model_unchanged(segmenter):
    segmenter.train()
    before = {name: tensor.clone() for name, tensor in segmenter.state_dict().items()}
    count_multiply_adds(segmenter, (64, 64))
    assert segmenter.training
    assert {parameter.device.type for parameter in segmenter.parameters()} == {"cpu"}
    for name, tensor in segmenter.state_dict().items():
        assert torch.equal(tensor, before[name]), name
