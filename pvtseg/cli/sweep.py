"""Says at the end of a sweep (-m) which of its runs was best."""

from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table


class BestOfSweep(Callback):
    """Collects what each job returned; Hydra calls it, configured under hydra.callbacks."""

    def __init__(self) -> None:
        self._jobs: list[tuple[str, str, float]] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        if job_return.status is JobStatus.COMPLETED and isinstance(job_return.return_value, float):
            overrides = " ".join(job_return.overrides or ())
            self._jobs.append((overrides, str(job_return.hydra_cfg.hydra.runtime.output_dir), job_return.return_value))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        jobs = sorted(self._jobs, key=lambda job: job[2], reverse=True)
        if not jobs:
            return
        table = Table(title=f"{len(jobs)} runs, best first", title_justify="left")
        for column in ("score", "overrides", "folder"):
            table.add_column(column, overflow="fold")
        for overrides, folder, score in jobs:
            table.add_row(f"{score:.4f}", overrides, folder)
        console = Console(highlight=False)
        console.print(table)
        console.print(f"best: {jobs[0][0]}, {jobs[0][2]:.4f}, in {jobs[0][1]}", soft_wrap=True)
