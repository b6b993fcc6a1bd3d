"""torch.compile takes every model whole, at any size, and changes no output.

The backend is dynamo's own, "eager", which needs no compiler on the machine: what could
break is the reading of our code.
"""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from pvtseg.backbones.pvt_v2 import PyramidVisionTransformer
from pvtseg.heads.fcn import FCNHead
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.heads.semantic_fpn import SemanticFPNHead
from pvtseg.losses.cross_entropy import CrossEntropy
from pvtseg.model import Heads, Model

CHANNELS = (8, 16, 20, 32)


def segformer(backbone):
    return Model(backbone, SegFormerHead(CHANNELS, 5, channels=16, dropout=0.0))


def supervised(backbone):
    heads = {
        "segmentation": SemanticFPNHead(CHANNELS, 5, pyramid_channels=8, channels=8, dropout=0.0),
        "auxiliary": FCNHead(CHANNELS, 5, dropout=0.0),
    }
    return Model(backbone, Heads(heads, training_only=["auxiliary"]))


def depth(backbone):
    return Model(backbone, GLPNHead(CHANNELS, max_depth=10.0, channels=8))


def classification(backbone):
    return Model(backbone, LinearHead(CHANNELS, 5))


MODELS = [segformer, supervised, depth, classification]


@pytest.fixture(autouse=True)
def _forgetful():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def built(make, linear, training):
    torch.manual_seed(0)
    return make(PyramidVisionTransformer(CHANNELS, (1, 1, 1, 1), (2, 2, 2, 2), linear=linear)).train(training)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("linear", [False, True], ids=["reduced", "linear"])
@pytest.mark.parametrize("make", MODELS)
def test_a_model_is_one_graph_without_breaks(make, linear, training):
    found = torch._dynamo.explain(built(make, linear, training))(torch.randn(2, 3, 64, 96))
    assert (found.graph_count, found.graph_break_count) == (1, 0), found.break_reasons


@pytest.mark.parametrize("make", MODELS)
def test_one_graph_serves_all_sizes(make):
    model = built(make, linear=True, training=False)
    counter = CompileCounter()
    compiled = torch.compile(model, backend=counter, fullgraph=True, dynamic=True)
    with torch.no_grad():
        for size in ((64, 96), (96, 128), (160, 224)):
            image = torch.randn(2, 3, *size)
            torch.testing.assert_close(compiled(image), model(image))
        assert counter.frame_count == 1
        image = torch.randn(2, 3, 65, 97)  # where maps do not halve evenly a head may resize what it else would not
        torch.testing.assert_close(compiled(image), model(image))
    assert counter.frame_count <= 2


@pytest.mark.parametrize("make", MODELS)
def test_a_compiled_model_learns_the_same_under_the_same_names(make):
    image, gradients = torch.randn(2, 3, 64, 96), []
    for compiled in (False, True):
        model = built(make, linear=False, training=True)
        names = list(model.state_dict())
        if compiled:
            model.compile(backend="aot_eager")
        outputs = model(image)
        sum(each.square().mean() for each in (outputs.values() if isinstance(outputs, dict) else [outputs])).backward()
        assert list(model.state_dict()) == names
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    for plain, mine in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, plain)


def test_compiled_cross_entropy_is_cross_entropy():
    logits, target = torch.randn(2, 5, 8, 8, requires_grad=True), torch.randint(5, (2, 32, 32))
    found = []
    for compiled in (False, True):
        loss = CrossEntropy(label_smoothing=0.1)
        if compiled:
            counter = CompileCounter()
            loss.compile(backend=counter, dynamic=True)
        value = loss(logits, target)["cross_entropy"]
        found.append((value, *torch.autograd.grad(value, logits)))
    assert counter.frame_count == 1
    torch.testing.assert_close(*found)
