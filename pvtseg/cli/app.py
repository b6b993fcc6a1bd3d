"""The frame of every command: Hydra composes the configuration, and a user's mistake
ends in one line without a traceback.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pvtseg.cli.explain import explain
from pvtseg.errors import UserError
from pvtseg.paths import config_dir

Job = Callable[[DictConfig], Any]
MISTAKES = (UserError, HydraException, OmegaConfBaseException, PermissionError, NotADirectoryError, FileExistsError)


@dataclass(frozen=True)
class Failure:
    """The result of a job of a sweep that ended in an error."""

    reason: str


def run(
    job: Job | str,
    config_name: str,
    arguments: Sequence[str] | None = None,
    *,
    complete: Callable[[Sequence[str]], list[str]] = list,
) -> None:
    """Composes `config_name` with the overrides in `arguments`, and runs `job` once or
    for each point of a sweep.

    job: a function, or "module:function" for one that is imported when its
    configuration is composed, because --cfg and a misspelled key must not wait for torch.
    complete: what may be added to the arguments before Hydra reads them.

    After a user's mistake it exits with status 1 and a last line that helps. Anything
    else is an error of ours and keeps its traceback, as everything does with
    HYDRA_FULL_ERROR=1 in the environment.
    """
    wants_traceback = "HYDRA_FULL_ERROR" in os.environ
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # makes Hydra raise instead of printing and exiting by itself
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve the data workers
    command_line = sys.argv
    given = list(sys.argv[1:] if arguments is None else arguments)
    mistakes: list[Exception] = []
    failures: list[Failure] = []

    def start(config: DictConfig) -> Any:
        sys.argv = command_line  # Lightning starts its other processes by it
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            result = _guarded(job, config, config_name, given)
            failures.extend([result] if isinstance(result, Failure) else [])
            return result
        try:
            return _resolved(job)(config)
        except MISTAKES as error:  # not through Hydra, which would print the overrides above the message
            mistakes.append(error)

    try:
        sys.argv = [sys.argv[0], *complete(given)]
        hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=config_name)(start)()
        if mistakes:
            raise mistakes[0]
    except MISTAKES as error:
        if wants_traceback:
            raise
        _leave(explain(error, config_name, given))
    except KeyboardInterrupt:
        print("\nerror: interrupted.", file=sys.stderr)
        sys.exit(130)
    finally:
        sys.argv = command_line
        if not wants_traceback:
            os.environ.pop("HYDRA_FULL_ERROR", None)
    if failures:
        number = "1 run" if len(failures) == 1 else f"{len(failures)} runs"
        _leave(f"{number} of the sweep failed: {failures[0].reason}")


def _resolved(job: Job | str) -> Job:
    if not isinstance(job, str):
        return job
    module, _, name = job.partition(":")
    return getattr(import_module(module), name)


def _guarded(job: Job | str, config: DictConfig, config_name: str, given: Sequence[str]) -> Any:
    """The result of the job, or the reason of its failure, so that the jobs after it run all the same."""
    try:
        return _resolved(job)(config)
    except MISTAKES as error:
        reason = explain(error, config_name, given)
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}; the traceback stands above."
    print(f"error: {reason}", file=sys.stderr)
    return Failure(reason)


def _leave(reason: str) -> None:
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(1)
