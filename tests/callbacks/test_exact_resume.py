"""A run that stopped and went on ends where an uninterrupted one ends, to the bit."""

from __future__ import annotations

from functools import partial

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from torch import nn
from torch.nn import functional as F

import pvtseg
from pvtseg.callbacks.exact_resume import ExactResume
from pvtseg.data.module import DataModule
from pvtseg.data.normalize import Normalize
from pvtseg.data.transforms.evaluation import Original
from pvtseg.heads.linear import LinearHead
from pvtseg.inference.whole import Whole
from pvtseg.metrics.classification import ClassificationMetrics
from pvtseg.model import Model
from pvtseg.optim.groups import adamw
from pvtseg.optim.schedules import poly
from pvtseg.task import Task
from pvtseg.tasks.classification import ClassificationPostProcess

STEPS = 8  # of an epoch of 4: 8 images in batches of 2


class Noise:
    """Images of noise, each its own class of 3."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        image = np.random.default_rng(index).integers(256, size=(32, 32, 3), dtype=np.uint8)
        return {"image": image, "target": index % 3, "name": str(index)}


class Flip:
    def seed(self, number):
        self.flip = number % 2

    def __call__(self, *, image, target):
        return {"image": np.ascontiguousarray(image[:, ::-1]) if self.flip else image, "target": target}


class CrossEntropyOfImages(nn.Module):
    def forward(self, logits, target):
        return {"cross_entropy": F.cross_entropy(logits, target)}


def parts(num_workers: int = 0):
    backbone = pvtseg.mit_b0(drop_path_rate=0.5)
    task = Task(
        Model(backbone, LinearHead(backbone.channels, 3)),
        name="classification",
        loss=CrossEntropyOfImages(),
        postprocess=ClassificationPostProcess(),
        metrics=ClassificationMetrics(3),
        inference=Whole(),
        optimizer=partial(adamw, lr=1e-3),
        schedule=partial(poly, warmup_steps=2),
    )
    data = DataModule(
        Noise(8),
        Noise(3),
        name="noise",
        train_transform=Flip(),
        eval_transform=Original(),
        normalize=Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        batch_size=2,
        eval_batch_size=3,
        num_workers=num_workers,
        seed=0,
    )
    return task, data


def trainer_of(folder, *callbacks, **options) -> lightning.Trainer:
    defaults = {"max_steps": STEPS, "max_epochs": -1, "val_check_interval": 3, "check_val_every_n_epoch": None}
    return lightning.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        use_distributed_sampler=False,
        num_sanity_val_steps=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*callbacks],
        **defaults | options,
    )


def saving(folder, at: int) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder, filename="{step}", auto_insert_metric_name=False, every_n_train_steps=at, save_top_k=-1
    )


class Seen(lightning.Callback):
    """The images and the loss of each step."""

    def __init__(self):
        self.steps = {}

    def on_train_batch_end(self, trainer, task, outputs, batch, batch_idx):
        self.steps[trainer.global_step] = (batch["image"].sum().item(), float(outputs["loss"]))


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize(
    "stopped_at", [1, 3, 4, 6], ids=["in the first epoch", "at a validation", "between epochs", "in the second epoch"]
)
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(stopped_at, num_workers, tmp_path):
    lightning.seed_everything(0)
    task, data = parts(num_workers)
    seen = Seen()
    trainer_of(tmp_path, ExactResume(), seen, saving(tmp_path, stopped_at)).fit(task, data)
    expected = {name: tensor.clone() for name, tensor in task.state_dict().items()}

    lightning.seed_everything(99)  # another process, with other random numbers
    task, data = parts(num_workers)
    resumed = Seen()
    trainer = trainer_of(tmp_path, ExactResume(), resumed)
    trainer.fit(task, data, ckpt_path=str(tmp_path / f"{stopped_at}.ckpt"))
    assert trainer.global_step == STEPS
    assert resumed.steps == {step: what for step, what in seen.steps.items() if step > stopped_at}
    for name, tensor in task.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_the_average_of_the_weights_is_what_is_evaluated_and_kept(tmp_path):
    lightning.seed_everything(0)
    task, data = parts()
    history = []

    class Record(lightning.Callback):
        def on_train_batch_end(self, trainer, task, outputs, batch, batch_idx):
            history.append(task.model.head.classify.weight.detach().clone())

    ema = EMAWeightAveraging(decay=0.5, update_every_n_steps=1, update_starting_at_step=0)
    trainer_of(tmp_path, Record(), ema, limit_val_batches=0).fit(task, data)
    average = history[0]
    for weight in history[1:]:
        average = 0.5 * average + 0.5 * weight
    torch.testing.assert_close(task.model.head.classify.weight.detach(), average, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(average, history[-1], rtol=1e-4, atol=1e-6)


def test_early_stopping_ends_a_run_that_gets_no_better(tmp_path):
    lightning.seed_everything(0)
    task, data = parts()
    stopping = EarlyStopping(monitor="val/top1", mode="max", patience=2, min_delta=2.0)  # nothing is ever better by 2
    trainer = trainer_of(tmp_path, stopping, max_steps=100, val_check_interval=1)
    trainer.fit(task, data)
    assert trainer.global_step == 3
