"""From a composed configuration to objects."""

import numpy as np
import pytest
import torch

from pvtseg.build import (
    accumulation,
    build_data,
    build_model,
    build_task,
    build_trainer,
    build_visualizer,
    checkpoint_config,
    complete,
    compose,
)
from pvtseg.data.target_info import ClassInfo
from pvtseg.errors import UserError
from pvtseg.layers.outputs import to_numpy

TINY = [
    "data.train.size=[32,32]",
    "data.train.length=8",
    "data.val.length=2",
    "data.batch_size=2",
    "data.num_workers=0",
]


def config_of(*overrides: str, run: str = "/nowhere"):
    return compose(*TINY, *overrides, f"paths.run={run}")


def test_options_of_the_configuration_reach_the_objects():
    config = complete(
        config_of("backbone.drop_path_rate=0.25", "backbone.in_channels=4", "head.channels=24", "head.dropout=0.4")
    )
    with torch.device("meta"):
        model = build_model(config)
    assert model.backbone.stages[3].blocks[1].drop_path.p == pytest.approx(0.25)
    assert model.backbone.in_channels == 4
    assert model.head.classify.in_channels == 24
    assert model.head.dropout.p == 0.4


def test_a_task_gets_the_optimizer_and_the_loss_of_the_configuration():
    config = complete(config_of("optimizer.lr=0.5", "optimizer.betas=[0.5,0.6]", "loss.ignore_index=7"))
    with torch.device("meta"):
        task = build_task(config, build_model(config))
    optimizer = task.make_optimizer(task.model)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}
    assert tuple(optimizer.param_groups[0]["betas"]) == (0.5, 0.6)
    assert task.loss.ignore_index == 7


@pytest.mark.parametrize("task", ["segmentation", "depth", "classification"])
def test_data_is_built_with_the_configured_sizes(task):
    data = build_data(config_of(f"task={task}"))
    assert (len(data.train), len(data.val), data.batch_size, data.num_workers) == (8, 2, 2, 0)
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (2, 3, 32, 32)


def test_training_and_validation_show_different_scenes():
    data = build_data(config_of())
    assert not (data.train[0]["image"] == data.val[0]["image"]).all()


@pytest.mark.parametrize(
    ("options", "batches"),
    [
        (["trainer.max_steps=100", "trainer.val_check_interval=10"], 10),
        (["trainer.max_steps=5", "trainer.val_check_interval=10"], 5),
        (["trainer.max_steps=100", "trainer.val_check_interval=10", "trainer.accumulate_grad_batches=4"], 40),
        (["trainer=epochs"], 1.0),
    ],
)
def test_validation_comes_after_so_many_steps(options, batches, tmp_path):
    config = complete(config_of(*options, "logger=[]", run=str(tmp_path)))
    assert build_trainer(config).val_check_interval == batches


@pytest.mark.parametrize(
    ("total_batch", "batch_size", "num_devices", "accumulated"),
    [(16, 2, 8, 1), (16, 2, 1, 8), (16, 16, 1, 1), (12, 2, 3, 2)],
)
def test_a_total_batch_is_reached_by_accumulation(total_batch, batch_size, num_devices, accumulated):
    assert accumulation(total_batch, batch_size, num_devices) == accumulated


@pytest.mark.parametrize(
    ("total_batch", "batch_size", "num_devices", "way_out"),
    [
        (16, 3, 2, "data.batch_size=2"),
        (16, 32, 1, "data.batch_size=16"),
        (16, 4, 8, "data.batch_size=2"),
        (16, 2, 3, "divides 16"),
    ],
)
def test_a_total_batch_that_cannot_be_reached_is_refused(total_batch, batch_size, num_devices, way_out):
    with pytest.raises(
        UserError, match=rf"total_batch={total_batch} is not a multiple of {batch_size} images.*{way_out}"
    ):
        accumulation(total_batch, batch_size, num_devices)


def test_a_recipes_total_batch_reaches_the_trainer(tmp_path):
    config = complete(
        config_of("total_batch=8", "trainer.accelerator=cpu", "trainer.devices=1", "logger=[]", run=str(tmp_path))
    )
    trainer = build_trainer(config)
    assert trainer.accumulate_grad_batches == 4
    assert trainer.val_check_interval == 4 * config["trainer"]["val_check_interval"]


def test_total_batch_excludes_accumulate_grad_batches(tmp_path):
    config = complete(config_of("total_batch=8", "trainer.accumulate_grad_batches=2", "logger=[]", run=str(tmp_path)))
    with pytest.raises(UserError, match=r"total_batch=8 and trainer\.accumulate_grad_batches=2 both say"):
        build_trainer(config)


def test_only_what_belongs_to_the_weights_is_carried_by_a_checkpoint():
    config = complete(config_of())
    kept = checkpoint_config(config)
    assert {"backbone", "head", "task", "data", "postprocess", "metrics", "inference"} <= kept.keys()
    assert not kept.keys() & {"paths", "trainer", "logger", "callbacks", "resume"}
    with torch.device("meta"):
        build_task(kept, build_model(kept))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("~head.num_classes", "SegFormerHead needs.*num_classes.*head"),
        ("+head.foo=1", r"SegFormerHead has no option 'foo' \(head\.foo\)"),
        ("backbone.in_channels=0", "in_channels=0"),
        ("+backbone.foo=1", r"has no option 'foo' \(backbone\.foo\)"),
    ],
)
def test_a_users_mistake_is_named(override, message):
    config = complete(config_of(override))
    with torch.device("meta"), pytest.raises(UserError, match=message):
        build_model(config)


def test_a_constructor_that_fails_is_named_with_the_way_to_its_traceback():
    config = complete(config_of())
    config["head"] = {"_target_": "builtins.divmod"}
    with pytest.raises(UserError, match=r"head cannot be built from its values: divmod.*HYDRA_FULL_ERROR=1") as error:
        build_model(config)
    assert error.value.__cause__ is not None


def test_the_folder_of_a_run_is_the_one_that_the_command_line_would_make():
    assert compose("task=depth").paths.run.startswith("logs/depth/")


def test_completing_a_configuration_leaves_the_given_one_unchanged():
    config = config_of("data.labels.names=null", "data.labels.num_classes=13", "data.labels.palette=null")
    labels = ClassInfo(names=[f"class {index}" for index in range(13)])
    completed = complete(config, labels)
    assert completed["metrics"]["names"] == list(labels.names)
    assert config.data.labels.names is None


def test_several_heads_are_mappings_of_parts():
    """Segmentation and depth on one encoder: outputs, losses, predictions and metrics
    by name.
    """
    single = {}
    for task in ("segmentation", "depth"):
        alone = config_of(f"task={task}", "backbone=mit_b0")
        single[task] = complete(alone, build_data(alone).labels)
    config = dict(single["segmentation"], task={"name": "multi"})
    config |= {
        key: {task: single[task][key] for task in single}
        for key in ("head", "loss", "postprocess", "metrics", "visualizer")
    }
    task = build_task(config, build_model(config)).eval()
    image, size = torch.randn(2, 3, 32, 48), [(32, 48), (64, 96)]
    batch = {"image": image, "image_size": [(32, 48)] * 2, "views": [image], "size": size, "name": ["a", "b"]}
    with torch.no_grad():
        predictions = task.predict(batch)
    assert [{name: tuple(each.shape) for name, each in image.items()} for image in predictions] == [
        {"segmentation": sides, "depth": sides} for sides in size
    ]
    targets = [{"segmentation": torch.zeros(sides, dtype=torch.int64), "depth": torch.ones(sides)} for sides in size]
    task.metrics.update(predictions, targets)
    assert {"segmentation/mIoU", "depth/delta1"} <= task.metrics.compute().keys()
    picture = build_visualizer(config)(to_numpy(targets[0]), np.zeros((32, 48, 3), np.uint8))
    assert picture.shape == (32, 96, 3)
