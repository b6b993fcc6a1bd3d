"""Training and evaluation of each kind of target, on tiny scenes."""

from functools import partial

import lightning
import pytest
import torch
from torch.nn import functional as F

import pvtseg
from pvtseg.data.module import DataModule
from pvtseg.data.normalize import Normalize
from pvtseg.data.scenes.dataset import Scenes
from pvtseg.data.transforms.evaluation import Original
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.inference.whole import Whole
from pvtseg.losses.classification import ClassificationCrossEntropy
from pvtseg.losses.cross_entropy import CrossEntropy
from pvtseg.losses.silog import SiLogLoss
from pvtseg.metrics.classification import ClassificationMetrics
from pvtseg.metrics.depth import DepthMetrics
from pvtseg.metrics.segmentation import SegmentationMetrics
from pvtseg.model import Model
from pvtseg.optim.groups import adamw
from pvtseg.optim.schedules import poly
from pvtseg.task import Task
from pvtseg.tasks.classification import ClassificationPostProcess
from pvtseg.tasks.depth import DepthPostProcess
from pvtseg.tasks.segmentation import SegmentationPostProcess

PARTS = {
    "segmentation": (
        partial(SegFormerHead, num_classes=13, channels=32),
        CrossEntropy,
        SegmentationPostProcess,
        partial(SegmentationMetrics, 13),
    ),
    "depth": (partial(GLPNHead, max_depth=10.0, channels=16), SiLogLoss, DepthPostProcess, DepthMetrics),
    "classification": (
        partial(LinearHead, num_classes=6),
        ClassificationCrossEntropy,
        ClassificationPostProcess,
        partial(ClassificationMetrics, 6),
    ),
}


class NoTransform:
    def seed(self, number): ...

    def __call__(self, *, image, target):
        return {"image": image, "target": target}


def task_of(name: str, **options) -> Task:
    make_head, make_loss, make_postprocess, make_metrics = PARTS[name]
    backbone = pvtseg.mit_b0()
    return Task(
        Model(backbone, make_head(backbone.channels)),
        name=name,
        loss=make_loss(),
        postprocess=make_postprocess(),
        metrics=make_metrics(),
        inference=Whole(),
        optimizer=partial(adamw, lr=2e-3),
        schedule=partial(poly, power=0.0, warmup_steps=2),
        **options,
    )


def data_of(name: str, *, train: int = 4, val: int = 3) -> DataModule:
    return DataModule(
        Scenes("train", target=name, length=train, size=(32, 48)),
        Scenes("val", target=name, length=val, size=(32, 48)),
        name="scenes",
        train_transform=NoTransform(),
        eval_transform=Original(),
        normalize=Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        batch_size=4,
        eval_batch_size=2,
        num_workers=0,
        seed=0,
    )


def trainer_of(folder, **options) -> lightning.Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return lightning.Trainer(
        accelerator="cpu", default_root_dir=folder, use_distributed_sampler=False, **quiet | options
    )


class Losses(lightning.Callback):
    def __init__(self):
        self.values = []

    def on_train_batch_end(self, trainer, task, outputs, batch, batch_idx):
        self.values.append(float(outputs["loss"]))


@pytest.mark.parametrize("name", PARTS)
def test_a_few_steps_lower_the_loss(name, tmp_path):
    lightning.seed_everything(0)
    losses = Losses()
    trainer_of(tmp_path, max_steps=12, limit_val_batches=0, callbacks=[losses]).fit(task_of(name), data_of(name))
    assert len(losses.values) == 12
    assert sum(losses.values[-3:]) / 3 < 0.8 * sum(losses.values[:2]) / 2


def batch_of(name: str) -> dict:
    data = data_of(name)
    return data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)


def test_segmentation_predicts_the_class_with_the_largest_logit_of_each_pixel():
    task, batch = task_of("segmentation").eval(), batch_of("segmentation")
    batch["size"] = [(65, 97), (33, 40)]  # at whatever size is wanted
    with torch.no_grad():
        predictions = task.predict(batch)
        logits = task.model(batch["image"])
    for index, (prediction, size) in enumerate(zip(predictions, batch["size"], strict=True)):
        fine = F.interpolate(logits[index, None], size=size, mode="bilinear", align_corners=False)[0]
        assert prediction.shape == size
        assert (prediction == fine.argmax(dim=0)).float().mean() > 0.999  # ties may fall either way


def test_depth_predicts_meters_at_the_size_that_is_wanted():
    task, batch = task_of("depth").eval(), batch_of("depth")
    batch["size"] = [(65, 97)] * 2
    with torch.no_grad():
        predictions = task.predict(batch)
    assert [prediction.shape for prediction in predictions] == [(65, 97)] * 2
    assert 0 < predictions[0].min() < predictions[0].max() < 10


def test_classification_predicts_probabilities():
    task, batch = task_of("classification").eval(), batch_of("classification")
    with torch.no_grad():
        predictions = task.predict(batch)
    assert [prediction.shape for prediction in predictions] == [(6,)] * 2
    assert float(predictions[0].sum()) == pytest.approx(1)


@pytest.mark.parametrize("name", PARTS)
def test_losses_are_scalars_that_reach_every_parameter(name):
    task = task_of(name)
    batch = batch_of(name)
    losses = task.loss(task.model(batch["image"], batch["image_size"]), batch["target"])
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    assert [name for name, parameter in task.model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("segmentation", {"mIoU", "mAcc", "aAcc", *(f"IoU/{index}" for index in range(13))}),
        ("depth", {"delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog"}),
        ("classification", {"top1", "top5"}),
    ],
)
def test_an_evaluation_leaves_plain_numbers_under_the_names_of_the_contract(name, keys, tmp_path):
    task = task_of(name)
    trainer = trainer_of(tmp_path)
    trainer.validate(task, data_of(name), verbose=False)
    first = task.results
    assert first.keys() == keys
    assert all(type(value) is float for value in first.values())
    trainer.validate(task, data_of(name), verbose=False)
    assert task.results == pytest.approx(first, nan_ok=True)  # the second evaluation does not add to the first


@pytest.mark.parametrize(("options", "steps"), [({"max_steps": 7}, 7), ({"max_epochs": 3}, 6)])
def test_the_schedule_ends_with_the_training_whether_counted_in_steps_or_epochs(options, steps, tmp_path):
    lengths = []

    def schedule(optimizer, total_steps):
        lengths.append(total_steps)
        return poly(optimizer, total_steps)

    task = task_of("classification")
    task.make_schedule = schedule
    trainer = trainer_of(tmp_path, limit_val_batches=0, **options)
    trainer.fit(task, data_of("classification", train=8))
    assert lengths == [steps]
    assert trainer.global_step == steps
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0)
