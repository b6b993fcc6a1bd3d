"""Functions of outputs, targets and predictions, which may stand by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pvtseg.interfaces import Instances, Segments
from pvtseg.layers.outputs import map_outputs, to_numpy, unbatched


def test_a_function_of_outputs_is_that_of_the_tensors_at_the_same_place():
    one, other = (
        {"depth": torch.rand(2, 1, 3, 4), "queries": {"logits": torch.rand(2, 5), "boxes": torch.rand(2, 4)}}
        for _ in range(2)
    )
    found = map_outputs(torch.sub, one, other)
    assert torch.equal(found["depth"], one["depth"] - other["depth"])
    assert found["queries"].keys() == {"logits", "boxes"}
    for name, tensor in found["queries"].items():
        assert torch.equal(tensor, one["queries"][name] - other["queries"][name])
    assert torch.equal(map_outputs(torch.sub, one["depth"], other["depth"]), one["depth"] - other["depth"])
    assert torch.equal(map_outputs(torch.neg, one)["depth"], -one["depth"])


def test_a_batch_of_targets_falls_apart_into_those_of_each_image():
    maps, classes = torch.arange(12).view(2, 2, 3), torch.tensor([4, 7])
    instances = [Instances(torch.zeros(count, 4), torch.zeros(count)) for count in (3, 0)]
    first, second = unbatched({"segmentation": maps, "several": {"class": classes, "objects": instances}})
    assert torch.equal(first["segmentation"], maps[0])
    assert torch.equal(second["segmentation"], maps[1])
    assert (int(first["several"]["class"]), int(second["several"]["class"])) == (4, 7)
    assert first["several"]["objects"] is instances[0]
    assert second["several"]["objects"] is instances[1]


def test_targets_without_names_fall_apart_too():
    maps = torch.arange(12).view(2, 2, 3)
    assert all(torch.equal(*pair) for pair in zip(unbatched(maps), maps, strict=True))
    instances = [Instances(torch.zeros(1, 4), torch.zeros(1))]
    assert unbatched(instances)[0] is instances[0]


def test_targets_by_name_need_the_same_number_of_images():
    with pytest.raises(ValueError, match="zip"):
        unbatched({"a": torch.zeros(2), "b": torch.zeros(3)})


def test_tensors_become_arrays_of_the_same_type_inside_mappings_too():
    prediction = {"depth": torch.rand(2, 3, requires_grad=True), "segmentation": torch.arange(4), "name": "a.png"}
    found = to_numpy(prediction)
    np.testing.assert_array_equal(found["depth"], prediction["depth"].detach().numpy())
    assert (found["depth"].dtype, found["segmentation"].dtype) == (np.float32, np.int64)
    assert found["name"] == "a.png"
    assert to_numpy(3) == 3
    assert to_numpy(None) is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(dtype):
    tensor = torch.rand(5).to(dtype)
    found = to_numpy(tensor)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, tensor.float().numpy())


def test_instances_and_segments_stay_what_they_are_with_arrays_in_them():
    instances = Instances(torch.rand(2, 4), torch.tensor([1, 2]), scores=torch.rand(2))
    segments = Segments(torch.ones(3, 4, dtype=torch.int32), torch.tensor([5]))
    for value in (instances, segments):
        found = to_numpy(value)
        assert type(found) is type(value)
        for field in dataclasses.fields(value):
            before, after = getattr(value, field.name), getattr(found, field.name)
            if before is None:
                assert after is None
            else:
                np.testing.assert_array_equal(after, before.numpy())
                assert torch.is_tensor(before)
