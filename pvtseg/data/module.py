"""The data module of every task: data sets in, normalized batches out."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from pvtseg.data.collate import collate
from pvtseg.data.normalize import Normalize, normalize_batch
from pvtseg.data.samples import Samples
from pvtseg.data.sampling import EvaluationSampler, TrainingSampler
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify.start import check_start
from pvtseg.data.views import EvaluationView, TrainingView
from pvtseg.errors import UserError
from pvtseg.interfaces import Batch, EvalTransform, Transform


class DataModule(lightning.LightningDataModule):
    """Training and validation data, their transforms, and how they are loaded.

    train, val: data sets of `Sample`s. name, root: what headers and results call the
    data, and the folder of its files. labels, depth: the facts of the targets.
    batch_size, num_workers: per device; num_workers=None takes what the cores allow.
    repeats: that of `TrainingSampler`. pad: that of `collate`.
    Batches travel as uint8 and are normalized on the device.
    """

    def __init__(
        self,
        train: Samples,
        val: Samples,
        *,
        name: str,
        train_transform: Transform,
        eval_transform: EvalTransform,
        normalize: Normalize,
        batch_size: int,
        eval_batch_size: int,
        num_workers: int | None,
        seed: int,
        repeats: int = 1,
        pad: bool = False,
        root: str | None = None,
        labels: ClassInfo | None = None,
        depth: DepthRange | None = None,
    ):
        super().__init__()
        num_workers = usual_workers() if num_workers is None else num_workers
        for option, value, least in (
            ("batch_size", batch_size, 1),
            ("eval_batch_size", eval_batch_size, 1),
            ("num_workers", num_workers, 0),
            ("repeats", repeats, 1),
        ):
            if value < least:
                raise UserError(f"data.{option} is {value}; use {least} or more.")
        _check_batch(len(train), batch_size)
        self.name = name
        self.root = root
        self.train = train
        self.val = val
        self.normalize = normalize
        self.labels = labels
        self.depth = depth
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.pad = pad
        self._train_view = TrainingView(train, train_transform, seed)
        self._val_view = EvaluationView(val, eval_transform)
        self._train_sampler = TrainingSampler(len(train), seed, repeats=repeats)
        self._val_sampler = EvaluationSampler(len(val))

    def check(self) -> None:
        """Raises UserError if the first training images show that training would go
        wrong, see `check_start`.
        """
        check_start(self.train, labels=self.labels, depth=self.depth)

    def train_item(self, index: int) -> dict[str, Any]:
        """One training item after its transform, as in the first epoch."""
        return self._train_view[0, index, 0]

    def train_dataloader(self) -> DataLoader:
        _check_batch(len(self._train_sampler), self.batch_size)  # a process may have fewer images than a batch
        return self._loader(self._train_view, self._train_sampler, self.batch_size, drop_last=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self._val_view, self._val_sampler, self.eval_batch_size, drop_last=False)

    def _loader(self, view: Dataset, sampler: Sampler, batch_size: int, *, drop_last: bool) -> DataLoader:
        return DataLoader(
            view,
            batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=partial(_collate_once, pad=self.pad),
            drop_last=drop_last,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_one_thread,
            generator=torch.Generator(),  # or each new iterator would draw from the generator that drops paths
        )

    def state_dict(self) -> dict[str, int]:
        """The progress of a run: a checkpoint needs it to go on with the very next batch."""
        assert self.trainer is not None
        done = self.trainer.fit_loop.epoch_loop.batch_progress.total.processed  # pyright: ignore[reportAttributeAccessIssue]
        epoch, batches = divmod(done, len(self._train_sampler) // self.batch_size)
        return {"epoch": epoch, "batches": batches}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._train_sampler.epoch = state_dict["epoch"]
        self._train_sampler.skip = state_dict["batches"] * self.batch_size

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        return normalize_batch(batch, self.normalize.to(batch["image"].device))


def usual_workers() -> int:
    """The number of processes that prepare a device's batches.

    It is the number of cores divided by devices, or a quarter of them where the cores
    train too.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    devices = torch.cuda.device_count()
    return min(max(cores // (devices or 4), 1), 16)


def _collate_once(items: list[dict[str, Any]], *, pad: bool) -> dict[str, Any]:
    """`collate` without views that are the image itself.

    Pinning memory and moving to a device would copy the same tensor twice.
    `on_after_batch_transfer` puts the views back.
    """
    batch: dict[str, Any] = {**collate(items, pad=pad)}
    if batch["views"][0] is batch["image"]:
        del batch["views"]
    return batch


def _one_thread(worker: int) -> None:
    """Keeps OpenCV to one thread, because the workers already use all cores."""
    import cv2

    cv2.setNumThreads(0)


def _check_batch(num_images: int, batch_size: int) -> None:
    if num_images < batch_size:
        raise UserError(
            f"{num_images} training images for a device do not fill a batch of {batch_size}; "
            f"use data.batch_size={num_images} or less."
        )
