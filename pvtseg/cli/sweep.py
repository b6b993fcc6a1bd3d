"""The table at the end of a sweep (-m): its runs, the best first."""

from __future__ import annotations

from typing import Any, NamedTuple

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from pvtseg.cli.app import Failure


class Finished(NamedTuple):
    """A run of the sweep. score: None without a validation, a `Failure` where the run
    ended in an error.
    """

    overrides: tuple[str, ...]
    folder: str
    score: float | Failure | None


class BestOfSweep(Callback):
    """Collects what each job returned; Hydra calls it, configured under hydra.callbacks."""

    def __init__(self) -> None:
        self._runs: list[Finished] = []
        self._monitor = "score", "max"

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        if job_return.status is JobStatus.COMPLETED and isinstance(job_return.return_value, float | Failure | None):
            self._monitor = config.monitor.metric, config.monitor.mode
            assert job_return.hydra_cfg is not None
            folder = str(job_return.hydra_cfg.hydra.runtime.output_dir)
            self._runs.append(Finished(tuple(job_return.overrides or ()), folder, job_return.return_value))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        metric, mode = self._monitor
        scores = [(run.score, run) for run in self._runs if isinstance(run.score, float)]
        measured = [run for _, run in sorted(scores, key=lambda each: each[0], reverse=mode == "max")]
        same = set.intersection(*(set(run.overrides) for run in self._runs)) if len(self._runs) > 1 else set()
        table = Table(title=f"{len(self._runs)} runs, best {metric} ({mode}) first", title_justify="left")
        for column in (metric, "overrides", "folder"):
            table.add_column(column, overflow="fold")
        for run in [*measured, *(run for run in self._runs if run not in measured)]:
            table.add_row(_shown(run.score), _swept(run, same), run.folder)
        console = Console(highlight=False, markup=False)
        console.print(table)
        if measured:
            best = measured[0]
            console.print(
                f"best: {_swept(best, same)}, {metric} {_shown(best.score)}, in {best.folder}", soft_wrap=True
            )


def _swept(run: Finished, same: set[str]) -> str:
    """The overrides of one run that are not those of all."""
    return " ".join(override for override in run.overrides if override not in same)


def _shown(score: float | Failure | None) -> str:
    if isinstance(score, Failure):
        return "failed"
    return "unmeasured" if score is None else f"{score:.4f}"
