"""Data sets in, normalized batches out: orders, processes, views and what is refused."""

import os

import numpy as np
import pytest
import torch

from pvtseg.data.module import DataModule, usual_workers
from pvtseg.data.normalize import Normalize
from pvtseg.data.sampling import TrainingSampler
from pvtseg.data.transforms.evaluation import MultiScale, Original
from pvtseg.data.views import EvaluationView
from pvtseg.errors import UserError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Numbered:
    """Images (size) whose pixels, and whose target, are the index."""

    def __init__(self, length, *, sizes=((8, 10),), target="map"):
        self.length, self.sizes, self.target = length, sizes, target

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        size = self.sizes[index % len(self.sizes)]
        image = np.full((*size, 3), index, dtype=np.uint8)
        targets = {
            "map": np.full(size, index, dtype=np.uint8),
            "depth": np.full(size, index + 0.5, dtype=np.float32),
            "class": index,
        }
        return {"image": image, "target": targets[self.target], "name": str(index)}


class AddNoise:
    """A training transform: writes a random number into the first pixel."""

    def seed(self, number):
        self.random = np.random.default_rng(number)

    def __call__(self, *, image, target):
        image = image.copy()
        image[0, 0] = self.random.integers(256, size=3)
        return {"image": image, "target": target}


class Unchanged:
    def __call__(self, *, image):
        return {"image": image}


def module_of(train=None, val=None, **options) -> DataModule:
    defaults = {"batch_size": 3, "eval_batch_size": 2, "num_workers": 0, "seed": 0, "eval_transform": Unchanged()}
    defaults["train_transform"] = AddNoise()
    return DataModule(
        train or Numbered(10),
        val or Numbered(5),
        name="numbers",
        normalize=Normalize(MEAN, STD),
        **defaults | options,
    )


def epoch_of(module: DataModule, epoch: int) -> list[dict]:
    loader = module.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def order_of(module: DataModule, epoch: int) -> list[int]:
    return [int(index) for batch in epoch_of(module, epoch) for index in batch["target"][:, 0, 0]]


@pytest.fixture
def as_process(monkeypatch):
    """Pretends to be one of several processes."""

    def pretend(rank: int, world: int) -> None:
        monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.distributed, "get_rank", lambda *_: rank)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda *_: world)

    return pretend


# -- orders and processes ---------------------------------------------------------------------------------------------


def test_every_epoch_has_another_order_and_sees_whole_batches_only():
    orders = [order_of(module_of(), epoch) for epoch in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    for order in orders:
        assert len(order) == len(set(order)) == 9  # 3 batches of 3 from 10


def test_the_order_follows_from_the_seed_alone():
    assert order_of(module_of(seed=4), 7) == order_of(module_of(seed=4), 7)
    assert order_of(module_of(seed=4), 7) != order_of(module_of(seed=5), 7)


def test_images_left_over_in_one_epoch_come_in_another():
    assert set().union(*(order_of(module_of(), epoch) for epoch in range(8))) == set(range(10))


def test_processes_share_an_epoch_without_overlap(as_process):
    orders = []
    for rank in range(3):
        as_process(rank, 3)
        orders.append(order_of(module_of(Numbered(20), batch_size=2), epoch=1))
    assert [len(order) for order in orders] == [6, 6, 6]
    assert len(set().union(*orders)) == 18


def keys_of(length: int, *, epoch: int = 0, **options) -> list[tuple[int, int, int]]:
    sampler = TrainingSampler(length, seed=3, **options)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_images_without_repeats_come_in_the_order_of_the_permutation():
    expected = [(5, int(index), 0) for index in np.random.default_rng([3, 5]).permutation(11)]
    assert keys_of(11, epoch=5) == expected


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize(("length", "repeats"), [(24, 3), (25, 3), (26, 4), (2, 3)])
def test_repeats_are_dealt_out_to_the_processes_like_cards(as_process, length, repeats, world):
    """The definition: every image of the shuffled set so many times in a row, dealt out
    in turn until the epoch is full.
    """
    hands = [[] for _ in range(world)]
    row = [
        (1, int(index), repeat)
        for index in np.random.default_rng([3, 1]).permutation(length)
        for repeat in range(repeats)
    ]
    for place in range(length // world * world):
        hands[place % world].append(row[place])
    for rank in range(world):
        as_process(rank, world)
        assert keys_of(length, epoch=1, repeats=repeats) == hands[rank]


def test_three_processes_see_an_image_at_once_and_never_alike(as_process):
    hands = []
    for rank in range(3):
        as_process(rank, 3)
        hands.append(keys_of(30, repeats=3))
    for together in zip(*hands, strict=True):
        assert len({index for _, index, _ in together}) == 1
        assert {repeat for _, _, repeat in together} == {0, 1, 2}
    assert len({index for _, index, _ in hands[0]}) == 10


def test_an_epoch_of_repeats_is_as_long_and_goes_on_where_it_stopped():
    assert len(TrainingSampler(31, seed=3, repeats=3)) == len(keys_of(31, repeats=3)) == 31
    resumed = TrainingSampler(31, seed=3, repeats=3)
    resumed.skip = 7
    assert [*resumed] == keys_of(31, repeats=3)[7:]
    assert [*resumed] == keys_of(31, repeats=3)


@pytest.mark.parametrize("length", [1, 5, 6])
def test_evaluation_counts_each_image_once_over_all_processes(as_process, length):
    seen = []
    for rank in range(2):
        as_process(rank, 2)
        for batch in module_of(val=Numbered(length)).val_dataloader():
            seen += batch["target"][:, 0, 0].tolist()
    assert sorted(seen) == list(range(length))


def test_evaluation_keeps_the_order_of_the_data_set():
    seen = [index for batch in module_of().val_dataloader() for index in batch["target"][:, 0, 0].tolist()]
    assert seen == [0, 1, 2, 3, 4]


# -- views ---------------------------------------------------------------------------------------------------------


def pixels_of(module: DataModule, epoch: int) -> dict[int, list[int]]:
    """Index -> what the random transform wrote."""
    return {
        int(target[0, 0]): image[:, 0, 0].tolist()
        for batch in epoch_of(module, epoch)
        for image, target in zip(batch["image"], batch["target"], strict=True)
    }


def test_a_training_view_repeats_by_seed_epoch_and_index():
    assert pixels_of(module_of(), 3) == pixels_of(module_of(), 3)


def test_training_views_differ_between_epochs_seeds_and_images():
    first, next_epoch, next_seed = pixels_of(module_of(), 0), pixels_of(module_of(), 1), pixels_of(module_of(seed=1), 0)
    common = first.keys() & next_epoch.keys() & next_seed.keys()
    assert len(common) > 4
    assert all(first[index] != next_epoch[index] != next_seed[index] for index in common)
    assert len({tuple(pixel) for pixel in first.values()}) == len(first)


def test_every_repeat_of_an_image_is_augmented_differently_and_the_first_as_without_repeats():
    batches = epoch_of(module_of(repeats=3), 0)
    assert [batch["target"].unique().numel() for batch in batches] == [1, 1, 1]
    for batch in batches:
        pixels = [tuple(image[:, 0, 0].tolist()) for image in batch["image"]]
        assert len(set(pixels)) == 3
        alone = np.random.SeedSequence([0, 0, int(batch["target"][0, 0, 0])]).generate_state(1)[0]
        assert pixels[0] == tuple(np.random.default_rng(int(alone)).integers(256, size=3))


def test_workers_draw_what_the_main_process_draws():
    assert pixels_of(module_of(num_workers=2), 2) == pixels_of(module_of(), 2)


def test_evaluation_changes_the_image_and_leaves_the_target():
    class Halve:
        def __call__(self, *, image):
            return {"image": image[::2, ::2]}

    item = EvaluationView(Numbered(3), Halve())[2]
    assert item["image"].shape == (4, 5, 3)
    assert item["target"].shape == item["size"] == (8, 10)
    assert item["name"] == "2"


# -- batches -------------------------------------------------------------------------------------------------------


def test_batches_travel_as_uint8_and_are_normalized_on_the_device():
    module = module_of()
    batch = next(iter(module.val_dataloader()))
    assert batch["image"].dtype == torch.uint8
    raw = batch["image"].clone()
    batch = module.on_after_batch_transfer(batch, 0)
    expected = (raw / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(batch["image"], expected)
    assert batch["target"].dtype == torch.uint8  # losses and metrics convert it themselves


def test_normalization_can_be_inverted():
    image = torch.randint(256, (2, 3, 4, 5), dtype=torch.uint8)
    normalize = Normalize(MEAN, STD)
    assert torch.equal(normalize.invert(normalize(image)), image)


def test_normalize_is_a_module_without_state_that_moves():
    normalize = Normalize(MEAN, STD)
    assert not normalize.state_dict()
    assert normalize.mean.shape == normalize.std.shape == (3, 1, 1)
    moved = normalize.to("meta")
    assert moved(torch.zeros(1, 3, 2, 2, dtype=torch.uint8, device="meta")).dtype == torch.float32


@pytest.mark.parametrize(
    ("target", "shape", "dtype"),
    [("map", (2, 8, 10), torch.uint8), ("depth", (2, 8, 10), torch.float32), ("class", (2,), torch.int64)],
)
def test_a_batch_has_the_shapes_that_the_tasks_take(target, shape, dtype):
    module = module_of(val=Numbered(2, target=target))
    batch = module.on_after_batch_transfer(next(iter(module.val_dataloader())), 0)
    assert batch["image"].shape == (2, 3, 8, 10)
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["target"].shape == shape
    assert batch["target"].dtype == dtype
    assert batch["image_size"] == batch["size"] == [(8, 10), (8, 10)]
    assert batch["name"] == ["0", "1"]


def test_a_training_batch_has_the_size_after_the_transform_and_the_names():
    class Halve(AddNoise):
        def __call__(self, *, image, target):
            return {"image": image[::2, ::2], "target": target[::2, ::2]}

    module = module_of(train_transform=Halve())
    batch = epoch_of(module, 0)[0]
    assert batch["image_size"] == batch["size"] == [(4, 5)] * 3
    assert batch["name"] == [str(int(target[0, 0])) for target in batch["target"]]


def test_without_ratios_the_view_is_the_normalized_image_itself():
    module = module_of()
    batch = module.on_after_batch_transfer(next(iter(module.val_dataloader())), 0)
    assert len(batch["views"]) == 1
    assert batch["views"][0] is batch["image"]


def test_each_view_is_normalized_once():
    module = module_of(eval_transform=MultiScale(Original(), [0.5, 1.0, 2.0]))
    batch = module.on_after_batch_transfer(next(iter(module.val_dataloader())), 0)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    assert [tuple(view.shape[2:]) for view in batch["views"]] == [(4, 5), (8, 10), (16, 20)]
    for view in (batch["image"], *batch["views"]):
        for index in range(2):
            expected = ((torch.full((3, 1, 1), index) / 255 - mean) / std).expand(view.shape[1:])
            torch.testing.assert_close(view[index], expected)


def test_padding_is_zero_after_the_normalization():
    class Objects(Numbered):
        def __getitem__(self, index):
            return {**super().__getitem__(index), "target": object()}

    module = module_of(val=Objects(2, sizes=((8, 10), (6, 12))), pad=True)
    batch = module.on_after_batch_transfer(next(iter(module.val_dataloader())), 0)
    assert batch["image"].shape == (2, 3, 8, 12)
    assert batch["image_size"] == batch["size"] == [(8, 10), (6, 12)]
    for image, (height, width) in zip(batch["image"], batch["image_size"], strict=True):
        assert (image[:, :height, :width] != 0).all()
        assert image[:, height:].abs().sum() == image[:, :, width:].abs().sum() == 0


def test_images_of_different_sizes_are_refused_with_the_option_to_set():
    module = module_of(val=Numbered(2, sizes=((8, 10), (6, 12))))
    with pytest.raises(UserError, match=r"\(8, 10\) of 0 and \(6, 12\) of 1.*data\.eval_batch_size=1"):
        next(iter(module.val_dataloader()))
    alone = module_of(val=Numbered(2, sizes=((8, 10), (6, 12))), eval_batch_size=1)
    assert [batch["size"] for batch in alone.val_dataloader()] == [[(8, 10)], [(6, 12)]]


# -- errors --------------------------------------------------------------------------------------------------------


class Failing(Numbered):
    def __init__(self, error):
        super().__init__(4)
        self.error = error

    def __getitem__(self, index):
        if index == 3:
            raise self.error
        return super().__getitem__(index)


class FailingTransform(AddNoise):
    def __call__(self, *, image, target):
        if target[0, 0] == 3:
            raise ValueError("crop larger than image")
        return {"image": image, "target": target}


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_error_while_an_item_is_loaded_names_the_item(num_workers):
    module = module_of(val=Failing(KeyError("annotation")), num_workers=num_workers, eval_batch_size=1)
    with pytest.raises(RuntimeError, match="validation item 3: KeyError: 'annotation'"):
        list(module.val_dataloader())
    module = module_of(Failing(UserError("a file is damaged.")), num_workers=num_workers, batch_size=1)
    with pytest.raises(UserError, match=r"training item 3: a file is damaged\.$"):
        list(module.train_dataloader())


def test_an_error_in_a_transform_names_the_sample():
    module = module_of(Numbered(4), train_transform=FailingTransform(), batch_size=1)
    with pytest.raises(RuntimeError, match="^3: ValueError: crop larger than image"):
        list(module.train_dataloader())


# -- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"), [("batch_size", 0), ("eval_batch_size", 0), ("num_workers", -1), ("repeats", 0)]
)
def test_options_out_of_their_range_are_refused_by_name(option, value):
    with pytest.raises(UserError, match=rf"data\.{option} is {value}"):
        module_of(**{option: value})


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(UserError, match=r"10 training images.*11.*data\.batch_size=10"):
        module_of(batch_size=11)


def test_a_batch_larger_than_the_images_of_a_process_is_refused(as_process):
    as_process(0, 2)
    module = module_of(batch_size=6)
    with pytest.raises(UserError, match=r"batch_size"):
        module.train_dataloader()


@pytest.mark.parametrize(
    ("cores", "devices", "workers"),
    [(1, 0, 1), (2, 0, 1), (32, 0, 8), (2, 1, 2), (16, 1, 16), (64, 1, 16), (64, 8, 8)],
)
def test_num_workers_default_to_the_cores_of_one_device(monkeypatch, cores, devices, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    assert usual_workers() == workers
    assert module_of(num_workers=None).num_workers == workers


def test_name_and_root_stay_apart():
    module = module_of(root="/photos")
    assert (module.name, module.root) == ("numbers", "/photos")
