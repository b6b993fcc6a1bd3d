"""What Lightning's loop costs: a training step under the trainer, callbacks and log
included, against a bare loop.

    uv run python benchmarks/training_loop.py

The default run, rendered rooms and b0, with its batch in memory already. Both loops do
the same work: normalize, losses, backward, clip, AdamW, the schedule. They take turns,
some steps each; the first step of a turn is not counted.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from lightning import Callback
from reporting import OURS, Row, facts, rounded, write
from torch import nn

from pvtseg.build import build_data, build_model, build_task, build_trainer, complete, compose
from pvtseg.cli.quiet import quieten

TURNS = 4
STEPS = 16


class Batches:
    """The same batch over and over, as a loader would hand it out."""

    def __init__(self, batch: dict[str, Any]):
        self.batch = batch

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(self.batch) for _ in range(STEPS))

    def __len__(self) -> int:
        return STEPS


class Clock(Callback):
    """Notes when each step begins."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.times.append(time.perf_counter())


def under_lightning(folder: str) -> list[float]:
    """Seconds of each step but the first."""
    config, data = run(folder)
    task, clock = build_task(config, build_model(config)), Clock()
    trainer = build_trainer(config, clock)
    batch = next(iter(data.train_dataloader()))
    data.train_dataloader = lambda: Batches(batch)
    trainer.fit(task, data)
    return between(clock.times)


def bare(folder: str) -> list[float]:
    """The same without Lightning."""
    config, data = run(folder)
    task, times = build_task(config, build_model(config)), []
    model = task.model.train()
    optimizer = task.make_optimizer(model)
    schedule = task.make_schedule(optimizer, STEPS)
    for batch in Batches(next(iter(data.train_dataloader()))):
        times.append(time.perf_counter())
        batch = data.on_after_batch_transfer(batch, 0)
        loss = sum(task.loss(model(batch["image"], batch["image_size"]), batch["target"]).values())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config["trainer"]["gradient_clip_val"])
        optimizer.step()
        schedule.step()
    return between(times)


def run(folder: str) -> tuple[dict[str, Any], Any]:
    """The default run's configuration, but for its length, and its data."""
    overrides = [
        f"paths.run={folder}",
        f"trainer.max_steps={STEPS}",
        "+trainer.limit_train_batches=1.0",
        "trainer.limit_val_batches=0",
        "data.num_workers=0",
    ]
    config = compose(*overrides)
    torch.manual_seed(0)
    data = build_data(config)
    return complete(config, data.labels), data


def between(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times[1:])]


def main() -> None:
    quieten()
    load = os.getloadavg()[0]
    loops = {"bare loop": bare, OURS: under_lightning}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(TURNS):
        for name, loop in loops.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds[name] += loop(f"{folder}/run{turn}")
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    rows: list[Row] = [
        {
            "work": "training step",
            "loop": name,
            "seconds": rounded(median),
            "repeats": len(seconds[name]),
            "overhead_percent": rounded(100 * (median / medians["bare loop"] - 1)),
            "goal": 3,
            "load_before": round(load, 1),
            **facts(torch.device("cpu")),
        }
        for name, median in medians.items()
    ]
    for row in rows:
        print(f"{row['loop']}: {row['seconds']} s, {row['overhead_percent']} % above the bare loop")
    write("training_loop", rows)


if __name__ == "__main__":
    main()
