"""The live progress bar, and a line for each validation."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pvtseg.errors import UserError


class RunProgress(ProgressBar):
    """One bar over all steps with loss, learning rate and time left; above it, the
    score of each validation.

    The bar moves on a terminal only; the lines are printed everywhere.
    `refresh_seconds` bounds how often the loss is fetched from the device. An
    evaluation shows a bar over its batches. monitor: the metric of the score, and its
    mode, "max" or "min". Raises UserError for another mode, and at the first validation
    for a metric that it does not have.
    """

    def __init__(self, *, monitor: Mapping[str, str], refresh_seconds: float = 0.5) -> None:
        super().__init__()
        if monitor["mode"] not in ("max", "min"):
            raise UserError(f"monitor.mode is {monitor['mode']!r}; use max or min.")
        self.metric = monitor["metric"]
        self.sign = 1 if monitor["mode"] == "max" else -1
        self.refresh_seconds = refresh_seconds
        self.console = Console(highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            transient=True,
        )
        self._enabled = True
        self._shown_at = 0.0
        self._best: float | None = None

    def disable(self) -> None:
        """Called by Lightning on every process but the first."""
        self._enabled = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open("training", trainer.estimated_stepping_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if not self._bar.tasks or now - self._shown_at < self.refresh_seconds:
            return
        self._shown_at = now
        loss = trainer.progress_bar_metrics.get("train/loss", float("nan"))
        lr = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        self._bar.update(self._steps, completed=trainer.global_step, state=f"loss {loss:.3f}  lr {lr:.1e}")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            self._open("evaluating", sum(trainer.num_val_batches))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if not self._bar.tasks:
            return
        if trainer.state.fn == "fit":
            self._bar.update(self._steps, state=f"validating, batch {batch_idx + 1} of {sum(trainer.num_val_batches)}")
        else:
            self._bar.update(self._steps, completed=batch_idx + 1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            self._close()
            return
        task: Any = pl_module
        if self.metric not in task.results:
            known = ", ".join(name for name in task.results if name not in task.metrics.per_class)
            raise UserError(f"monitor.metric is {self.metric!r}, which the metrics do not have; use one of {known}.")
        if self._enabled and not trainer.sanity_checking:
            self._print_score(trainer.global_step, task.results[self.metric])

    def _print_score(self, step: int, score: float) -> None:
        """A nan, which no comparison ranks, is never the best."""
        is_best = not math.isnan(score) and (self._best is None or self.sign * score > self.sign * self._best)
        self._best = score if is_best else self._best
        mark = "  best so far" if is_best else ""
        self.console.print(f"step {step:>6,}  val {self.metric} {score:.4f}{mark}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    def _open(self, what: str, total: float) -> None:
        if self._enabled:
            self._steps = self._bar.add_task(what, total=total, state="")
            self._bar.start()

    def _close(self) -> None:
        if self._bar.tasks:
            self._bar.remove_task(self._steps)
            self._bar.stop()
