"""Items become batches by their values alone: stacked, key by key, or as a list; images
of several sizes by padding.
"""

import numpy as np
import pytest
import torch

from pvtseg.data.collate import collate
from pvtseg.errors import UserError
from pvtseg.interfaces import Instances

RANDOM = np.random.default_rng(0)


def image(height=8, width=10):
    return RANDOM.integers(1, 256, (height, width, 3), dtype=np.uint8)


def item(target=0, *, name="a", **facts):
    return {"image": image(), "target": target, "size": (8, 10), "name": name, **facts}


def instances(count):
    return Instances(boxes=torch.rand(count, 4), labels=torch.arange(count))


def test_images_become_channels_last_maps_with_their_sizes_and_names():
    items = [item(name="a", size=(80, 100)), item(name="b", size=(40, 50))]
    batch = collate(items)
    assert batch["image"].shape == (2, 3, 8, 10)
    assert batch["image"].dtype == torch.uint8
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    for number in range(2):
        for channel in range(3):
            np.testing.assert_array_equal(batch["image"][number, channel], items[number]["image"][..., channel])
    assert batch["image_size"] == [(8, 10), (8, 10)]
    assert batch["size"] == [(80, 100), (40, 50)]
    assert batch["name"] == ["a", "b"]


def test_without_views_the_view_is_the_very_same_image():
    batch = collate([item()])
    assert len(batch["views"]) == 1
    assert batch["views"][0] is batch["image"]


def test_views_are_stacked_ratio_by_ratio():
    items = [item(views=[image(4, 5), image(8, 10), image(16, 20)]) for _ in range(2)]
    batch = collate(items)
    assert [tuple(view.shape) for view in batch["views"]] == [(2, 3, 4, 5), (2, 3, 8, 10), (2, 3, 16, 20)]
    for ratio in range(3):
        np.testing.assert_array_equal(batch["views"][ratio][1, 2], items[1]["views"][ratio][..., 2])


TARGETS = {
    "segmentation map": (np.full((8, 10), 3, np.uint8), (2, 8, 10), torch.uint8),
    "negative ignore_index": (np.full((8, 10), -1, np.int16), (2, 8, 10), torch.int16),
    "depth": (np.full((8, 10), 1.5, np.float32), (2, 8, 10), torch.float32),
    "class index": (3, (2,), torch.int64),
    "numpy number": (np.int64(3), (2,), torch.int64),
    "number": (0.5, (2,), torch.float32),
    "tensor": (torch.ones(4, 2), (2, 4, 2), torch.float32),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_arrays_and_numbers_are_stacked_in_their_own_type(kind):
    target, shape, dtype = TARGETS[kind]
    batch = collate([item(target), item(target)])
    assert tuple(batch["target"].shape) == shape
    assert batch["target"].dtype == dtype
    np.testing.assert_array_equal(batch["target"][1], target)


def test_objects_stay_a_list():
    targets = [instances(3), instances(0), None, "text"]
    joined = collate([item(target) for target in targets])["target"]
    assert isinstance(joined, list)
    assert all(found is given for found, given in zip(joined, targets, strict=True))


def test_mappings_are_joined_key_by_key():
    boxes = [instances(1), instances(2)]
    items = [
        item({"depth": np.full((8, 10), float(number), np.float32), "label": number, "objects": boxes[number]})
        for number in (0, 1)
    ]
    target = collate(items)["target"]
    assert target["depth"].shape == (2, 8, 10)
    assert target["label"].tolist() == [0, 1]
    assert target["objects"] == boxes


def test_images_of_several_sizes_are_padded_at_the_bottom_and_right():
    images = [image(8, 10), image(6, 12), image(9, 3)]
    batch = collate([item(image=one, name=str(number)) for number, one in enumerate(images)], pad=True)
    assert batch["image"].shape == (3, 3, 9, 12)
    assert batch["image_size"] == [(8, 10), (6, 12), (9, 3)]
    for padded, one in zip(batch["image"], images, strict=True):
        height, width = one.shape[:2]
        np.testing.assert_array_equal(padded[:, :height, :width].permute(1, 2, 0), one)
        assert padded.sum() == one.sum()


def test_images_of_several_sizes_are_refused_with_their_names_and_the_options():
    items = [item(name="a"), item(name="b"), item(image=image(6, 12), name="c")]
    with pytest.raises(
        UserError, match=r"\(8, 10\) of a and \(6, 12\) of c .*data\.eval_batch_size=1.*data\.pad=true\.$"
    ):
        collate(items)


def test_targets_of_several_shapes_are_refused_with_their_names():
    items = [item(np.zeros((8, 10), np.uint8), name="a"), item(np.zeros((8, 9), np.uint8), name="b")]
    with pytest.raises(UserError, match=r"\(8, 10\) of a and \(8, 9\) of b, .*data\.eval_batch_size=1"):
        collate(items, pad=True)


def test_targets_with_other_keys_are_refused_with_their_names():
    with pytest.raises(UserError, match=r"\['depth'\] of a and \['label'\] of b"):
        collate([item({"depth": 1}, name="a"), item({"label": 1}, name="b")])
