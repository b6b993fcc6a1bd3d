"""What every command shares: Hydra composes the configuration, and a user's mistake ends in one line instead of a traceback."""

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pvtseg.errors import UserError
from pvtseg.paths import config_dir


def run(job: Callable[[DictConfig], Any], config_name: str) -> None:
    """Composes `config_name` with the command line's overrides and runs `job` on it, once or for each point of a sweep.

    Leaves with status 1 and a last line that helps after a user's mistake. Anything else is a bug of ours and keeps its
    traceback, as everything does with HYDRA_FULL_ERROR=1 in the environment.
    """
    wants_traceback = "HYDRA_FULL_ERROR" in os.environ
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # makes Hydra raise instead of printing and exiting by itself
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve the data workers
    try:
        hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=config_name)(job)()
    except (UserError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            raise
        print(f"error: {explain(error, config_name)}", file=sys.stderr)
        sys.exit(1)
    finally:
        if not wants_traceback:
            del os.environ["HYDRA_FULL_ERROR"]


def explain(error: Exception, config_name: str) -> str:
    """One line: what was seen, what was wanted, what to do."""
    text = str(error).strip()
    if isinstance(error, UserError):
        # From a data-loading process the message comes as the last line of the traceback there.
        return re.sub(r"^pvtseg\.[\w.]+Error: ", "", text.splitlines()[-1])
    if choice := re.search(r"Could not (?:find|load) '([\w/]+)/([^'/]+)'", text):
        group, name = choice.groups()
        if data := re.fullmatch(r"data/(\w+)", group):
            tasks = " or ".join(f"task={path.stem}" for path in sorted((config_dir() / group).glob("*.yaml")))
            return f"data={data.group(1)} has no labels for task={name}; use {tasks}, or other data."
        choices = sorted(path.stem for path in (config_dir() / group).glob("[!_]*.yaml"))
        return f"there is no {group}={name}; {_did_you_mean(name, choices)}choose one of {', '.join(choices)}."
    if override := re.search(r"Could not override '([^']+)'", text):
        key = override.group(1)
        return f"there is no key '{key}'; {_did_you_mean(key, list(_keys(config_name)))}--cfg job lists the keys of a run."
    if missing := re.search(r"Missing mandatory value[\s\S]*full_key: ([\w.]+)", text):
        return f"{missing.group(1)} is not given; add {missing.group(1)}=... to the command line."
    return " ".join(text.split())


def _did_you_mean(name: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(name, choices, n=1)
    return f"did you mean {close[0]}? " if close else ""


def _keys(config_name: str) -> Iterator[str]:
    """Every key of the configuration as it is without overrides, dotted."""
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        yield from _dotted(OmegaConf.to_container(hydra.compose(config_name)), "")


def _dotted(node: Any, prefix: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _dotted(value, f"{prefix}{key}.")
