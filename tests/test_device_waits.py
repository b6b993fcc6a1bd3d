"""No forward pass and no loss makes the host wait for the device.

A copy from the host and a value that is read back make a GPU's host wait. They are
counted on the `meta` device, under modes that see every operator and every function of
torch, so that no GPU is needed.
"""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import pvtseg
from pvtseg.heads.fcn import FCNHead
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.heads.semantic_fpn import SemanticFPNHead
from pvtseg.losses.classification import ClassificationCrossEntropy
from pvtseg.losses.cross_entropy import CrossEntropy
from pvtseg.losses.dice import DiceLoss
from pvtseg.losses.focal import FocalLoss
from pvtseg.losses.lovasz import LovaszLoss
from pvtseg.losses.ohem import OHEMCrossEntropy
from pvtseg.losses.silog import SiLogLoss
from pvtseg.losses.weighted_sum import WeightedSum

READS = {  # operators whose result, or its shape, depends on the values
    "_local_scalar_dense", "item", "nonzero", "masked_select", "_unique", "_unique2", "unique_dim",
    "unique_consecutive", "equal", "is_nonzero", "bincount", "histc",
}  # fmt: skip
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}
FROM_DATA = {"tensor", "as_tensor", "new_tensor"}  # functions that make a device tensor of Python numbers


def tensors_in(tree) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class Waits(TorchDispatchMode):
    """Counts copies from the CPU to the meta device, and operators there that read
    values.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        inputs = tensors_in((args, kwargs))
        on_meta = [tensor for tensor in inputs if tensor.is_meta]
        if on_meta and name in READS:
            self.reads[name] += 1
        if on_meta and name in INDEXING and any(each is not None and each.dtype == torch.bool for each in args[1]):
            self.reads[f"{name} by a mask"] += 1
        result = func(*args, **kwargs)
        if len(on_meta) < len(inputs) and (on_meta or any(tensor.is_meta for tensor in tensors_in(result))):
            self.copies[name] += 1
        return result


class NumbersToDevice(TorchFunctionMode):
    """Counts the functions that copy Python numbers to the meta device, which no
    dispatch mode sees.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: Counter[str] = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        from_data = name in FROM_DATA and not isinstance(args[-1], torch.Tensor)
        # torch.where with a number copies the number
        with_number = name == "where" and len(args) == 3 and not all(isinstance(each, torch.Tensor) for each in args)
        if (from_data or with_number) and result.is_meta:
            self.copies[name] += 1
        return result


def waits_of(function) -> tuple[Counter, Counter]:
    """The copies and the reads of a function, by operator."""
    with Waits() as waits, NumbersToDevice() as numbers:
        function()
    return waits.copies + numbers.copies, waits.reads


META = torch.device("meta")
FLOATS = torch.empty(6, device=META)
MASK = torch.empty(6, device=META, dtype=torch.bool)
COPIES = {
    "to": lambda: torch.zeros(3, device="cpu").to(META),
    "copy_": lambda: FLOATS.copy_(torch.zeros(6, device="cpu")),
    "new_tensor": lambda: FLOATS.new_tensor(3.0),
    "tensor": lambda: torch.tensor([1.0, 2.0], device=META),
    "where": lambda: torch.where(MASK, FLOATS, 0.0),
}
VALUE_READS = {
    "item": lambda: FLOATS[0].item(),
    "if": lambda: bool(FLOATS[0] > 0),
    "nonzero": lambda: MASK.nonzero(),
    "mask": lambda: FLOATS[MASK],
    "unique": lambda: FLOATS.unique(),
    "masked_select": lambda: FLOATS.masked_select(MASK),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_from_the_cpu_is_counted(name):
    copies, reads = waits_of(COPIES[name])
    assert (copies.total(), reads.total()) == (1, 0)


@pytest.mark.parametrize("name", VALUE_READS)
def test_a_read_of_values_is_counted(name):
    with Waits() as waits, pytest.raises((RuntimeError, NotImplementedError)):  # the meta device has no values
        VALUE_READS[name]()
    assert waits.reads.total() == 1


VARIANTS = [*(f"pvt_v2_b{size}" for size in range(6)), "pvt_v2_b2_linear", *(f"mit_b{size}" for size in range(6))]
HEADS = {
    "segformer": lambda channels: SegFormerHead(channels, 5, channels=16),
    "semantic_fpn": lambda channels: SemanticFPNHead(channels, 5, pyramid_channels=16, channels=8),
    "glpn": lambda channels: GLPNHead(channels, max_depth=10, channels=16),
    "fcn": lambda channels: FCNHead(channels, 5, channels=16),
    "linear": lambda channels: LinearHead(channels, 5),
}


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_forward_pass_of_a_backbone_neither_copies_nor_reads(variant, training):
    with META:
        backbone = getattr(pvtseg, variant)(drop_path_rate=0.1).train(training)
    image = torch.empty(2, 3, 71, 103, device=META)  # a size that no other test uses: nothing is cached
    assert waits_of(lambda: backbone(image)) == (Counter(), Counter())


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("gradients", [True, False], ids=["gradients", "no_gradients"])
@pytest.mark.parametrize("head", HEADS)
def test_a_forward_pass_of_a_head_neither_copies_nor_reads(head, gradients, training):
    with META:
        module = HEADS[head]((4, 6, 8, 10)).train(training)
    features = [
        torch.empty(2, c, *size, device=META)
        for c, size in zip((4, 6, 8, 10), ((18, 26), (9, 13), (5, 7), (3, 4)), strict=True)
    ]
    with torch.set_grad_enabled(gradients):
        assert waits_of(lambda: module(features)) == (Counter(), Counter())


WEIGHTS = [1.0, 2.0, 3.0, 4.0, 5.0]
MAP_LOSSES = {
    "cross_entropy": CrossEntropy,
    "average_valid": lambda: CrossEntropy(average="valid"),
    "average_all": lambda: CrossEntropy(average="all"),
    "weighted_and_smoothed": lambda: CrossEntropy(class_weights=WEIGHTS, label_smoothing=0.1),
    "nothing_ignored": lambda: CrossEntropy(ignore_index=None),
    "ohem": OHEMCrossEntropy,
    "dice": DiceLoss,
    "focal": lambda: FocalLoss(class_weights=WEIGHTS),
    "lovasz": LovaszLoss,
}


def loss_and_gradient(loss, outputs, target):
    values = loss(outputs, target).values()
    torch.stack(list(values)).sum().backward()


@pytest.mark.parametrize("name", MAP_LOSSES)
def test_a_loss_of_maps_copies_at_most_once_and_reads_nothing(name):
    height = 40 + 4 * list(MAP_LOSSES).index(name)  # a size that no other loss has seen
    logits = torch.empty(2, 5, height // 4, 9, device=META, requires_grad=True)
    target = torch.empty(2, height, 36, device=META, dtype=torch.int64)
    loss = MAP_LOSSES[name]().to(META)
    copies, reads = waits_of(lambda: loss_and_gradient(loss, logits, target))
    assert copies.total() <= 1, copies
    assert reads == Counter()
    copies, reads = waits_of(lambda: loss_and_gradient(loss, logits, target))
    assert (copies, reads) == (Counter(), Counter())  # the same size again


def test_a_sum_of_losses_copies_no_more_than_its_terms():
    logits = torch.empty(2, 5, 25, 9, device=META, requires_grad=True)
    target = torch.empty(2, 100, 36, device=META, dtype=torch.int64)
    loss = WeightedSum({"a": CrossEntropy(), "b": DiceLoss()}, {"a": 1.0, "b": 0.5}).to(META)
    copies, reads = waits_of(lambda: loss_and_gradient(loss, logits, target))
    assert copies.total() <= 2, copies
    assert reads == Counter()


@pytest.mark.parametrize("per_image", [True, False])
def test_the_loss_of_depth_neither_copies_nor_reads(per_image):
    prediction = torch.empty(2, 1, 8, 8, device=META, requires_grad=True)
    target = torch.empty(2, 32, 32, device=META)
    loss = SiLogLoss(per_image=per_image)
    assert waits_of(lambda: loss_and_gradient(loss, prediction, target)) == (Counter(), Counter())


@pytest.mark.parametrize("target", [torch.empty(3, dtype=torch.int64, device=META), torch.empty(3, 5, device=META)])
def test_the_loss_of_whole_images_neither_copies_nor_reads(target):
    logits = torch.empty(3, 5, device=META, requires_grad=True)
    loss = ClassificationCrossEntropy(class_weights=WEIGHTS).to(META)
    assert waits_of(lambda: loss_and_gradient(loss, logits, target)) == (Counter(), Counter())
