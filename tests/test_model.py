"""A backbone and a head, joined."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import pvtseg
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.model import DenseModel, ImageModel, count_multiply_adds


@pytest.fixture
def dense() -> DenseModel:
    backbone = pvtseg.mit_b0()
    return DenseModel(backbone, SegFormerHead(backbone.channels, 4, channels=8)).eval()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 50)])
def test_a_dense_model_answers_at_the_size_of_the_image(dense, size):
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        logits, answer = dense(image), dense.answer(image)
    assert logits.shape == (2, 4, *size)
    assert answer.shape == (2, 4, -(-size[0] // 4), -(-size[1] // 4))
    torch.testing.assert_close(logits, F.interpolate(answer, size=size, mode="bilinear", align_corners=False))


def test_an_image_model_answers_once_for_the_image():
    backbone = pvtseg.mit_b0()
    model = ImageModel(backbone, LinearHead(backbone.channels, 4)).eval()
    image = torch.randn(2, 3, 32, 40)
    assert model(image).shape == (2, 4)
    assert torch.equal(model(image), model.answer(image))


def test_multiply_adds_are_those_of_convolutions_and_matrices():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolve = nn.Conv2d(3, 8, 3, padding=1)
            self.classify = nn.Linear(8, 5)

        def answer(self, image):
            return self.classify(self.convolve(image).mean(dim=(2, 3)))

    assert count_multiply_adds(Plain(), 3, (10, 12)) == 10 * 12 * 8 * 3 * 9 + 8 * 5


def test_counting_leaves_the_model_as_it_was(dense):
    dense.train()
    before = {name: tensor.clone() for name, tensor in dense.state_dict().items()}
    count_multiply_adds(dense, 3, (64, 64))
    assert dense.training
    assert {parameter.device.type for parameter in dense.parameters()} == {"cpu"}
    for name, tensor in dense.state_dict().items():
        assert torch.equal(tensor, before[name]), name
