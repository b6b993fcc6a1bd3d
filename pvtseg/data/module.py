"""One data module for all tasks: data sets in, normalized batches out."""

import os
from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pvtseg.data.normalize import Normalize
from pvtseg.data.sampling import EvaluationSampler, TrainingSampler
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.errors import UserError
from pvtseg.interfaces import Batch, Sample, Transform


class TrainingView(Dataset):
    """A data set seen through a random transform, seeded by (seed, epoch, index, repeat): runs repeat, all else differs."""

    def __init__(self, samples: Dataset, transform: Transform, seed: int):
        self.samples = samples
        self.transform = transform
        self.seed = seed

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Any]:
        epoch, index, repeat = key
        sample = self.samples[index]
        entropy = [self.seed, epoch, index, *([repeat] if repeat else [])]  # what is not repeated looks as it always has
        self.transform.seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        return self.transform(image=sample["image"], target=sample["target"])


class EvaluationView(Dataset):
    """A data set whose images are prepared for the model and whose targets stay as they are, at their own size."""

    def __init__(self, samples: Dataset, transform: Transform):
        self.samples = samples
        self.transform = transform

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample: Sample = self.samples[index]
        return {"image": self.transform(image=sample["image"])["image"], "target": sample["target"]}


def collate(samples: Sequence[dict[str, Any]]) -> Batch:
    """Images (H, W, 3) uint8 and their targets, stacked. Images become channels-last (B, 3, H, W) without a second copy.

    Images at several scales, a list for each sample, become a list of such batches. Raises UserError where sizes differ within
    the batch.
    """
    images, targets = ([sample[key] for sample in samples] for key in ("image", "target"))
    image = [_stacked(same) for same in zip(*images, strict=True)] if isinstance(images[0], list) else _stacked(images)
    if np.ndim(targets[0]) == 0:
        return Batch(image=image, target=torch.tensor(targets), size=tuple(image[0].shape[-2:]))
    target = torch.from_numpy(_stack(targets))
    size = tuple(target.shape[-2:])
    return Batch(image=image, target=target[:, None] if target.is_floating_point() else target, size=size)


def _stacked(images: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(_stack(images)).permute(0, 3, 1, 2)


def _stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    sizes = sorted({array.shape[:2] for array in arrays})
    if len(sizes) > 1:
        raise UserError(
            f"images of different sizes, {sizes[0]} and {sizes[-1]} (height, width), do not fit into one batch; "
            "use data.eval_batch_size=1 in evaluation, a transform with a fixed size in training."
        )
    return np.stack(arrays)


def usual_workers() -> int:
    """How many processes should prepare a device's batches: its share of the cores, a quarter where the cores train too."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    devices = torch.cuda.device_count()
    return min(max(cores // (devices or 4), 1), 16)


def _one_thread(worker: int) -> None:
    """Workers are the parallelism; OpenCV's own threads would only fight them, and the training, for the cores."""
    import cv2

    cv2.setNumThreads(0)


def _check_batch(num_images: int, batch_size: int) -> None:
    if num_images < batch_size:
        raise UserError(
            f"{num_images} training images for a device do not fill a batch of {batch_size}; "
            f"use data.batch_size={num_images} or less."
        )


class DataModule(lightning.LightningDataModule):
    """Training and validation data, the transforms between them and the model, and how they are loaded.

    `name` and `root`, the folder that the files lie in, say in headers and results what this is. `train` and `val` are data sets
    of `Sample`s. Batches travel as uint8 and are normalized on the device. `batch_size` is per device. `num_workers` processes
    per device prepare them; None for what the machine's cores allow. `repeats` is that of the `TrainingSampler`. `labels` or
    `depth` state the facts of the targets; here they serve whoever draws or prints them.
    """

    def __init__(
        self,
        train: Dataset,
        val: Dataset,
        *,
        name: str,
        train_transform: Transform,
        eval_transform: Transform,
        normalize: Normalize,
        batch_size: int,
        eval_batch_size: int,
        num_workers: int | None,
        seed: int,
        repeats: int = 1,
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
        self.name = name if root is None else f"{name} {root}"
        self.train = train
        self.val = val
        self.normalize = normalize
        self.labels = labels
        self.depth = depth
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self._train_view = TrainingView(train, train_transform, seed)
        self._val_view = EvaluationView(val, eval_transform)
        self._train_sampler = TrainingSampler(len(train), seed, repeats=repeats)
        self._val_sampler = EvaluationSampler(len(val))

    def train_item(self, index: int) -> dict[str, Any]:
        """One training image and its target, as they come out of the transform in the first epoch."""
        return self._train_view[0, index, 0]

    def train_dataloader(self) -> DataLoader:
        _check_batch(len(self._train_sampler), self.batch_size)  # this process's share may be smaller than one batch
        return self._loader(self._train_view, self._train_sampler, self.batch_size, drop_last=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self._val_view, self._val_sampler, self.eval_batch_size, drop_last=False)

    def _loader(self, view: Dataset, sampler: Sampler, batch_size: int, *, drop_last: bool) -> DataLoader:
        return DataLoader(
            view,
            batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            drop_last=drop_last,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_one_thread,
            generator=torch.Generator(),  # or each new iterator would draw from the generator that drops paths
        )

    def state_dict(self) -> dict[str, int]:
        """How far a run has come: what a checkpoint needs to go on with the very next batch."""
        done = self.trainer.fit_loop.epoch_loop.batch_progress.total.processed
        epoch, batches = divmod(done, len(self._train_sampler) // self.batch_size)
        return {"epoch": epoch, "batches": batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._train_sampler.epoch = state["epoch"]
        self._train_sampler.skip = state["batches"] * self.batch_size

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        batch["image"] = self.normalize(batch["image"])
        if not batch["target"].is_floating_point():
            batch["target"] = batch["target"].long()
        return batch
