"""What every command shares: Hydra composes the configuration, and a user's mistake ends in one line instead of a traceback."""

import difflib
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pvtseg.config import config_dir
from pvtseg.interfaces import UserError


def run(job: Callable[[DictConfig], Any], config_name: str) -> None:
    """Composes `config_name` with the command line's overrides and runs `job` on it, once or for each point of a sweep.

    Leaves with status 1 and a last line that helps after a user's mistake. Anything else is a bug of ours and keeps its
    traceback.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # makes Hydra raise instead of printing and exiting by itself
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve the data workers
    try:
        hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=config_name)(job)()
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        sys.exit(1)


def explain(error: Exception) -> str:
    """One line: what was seen, what was wanted, what to do."""
    if isinstance(error, UserError):
        # From a data-loading process the message comes as the last line of the traceback there.
        return str(error).strip().splitlines()[-1].removeprefix(f"{UserError.__module__}.UserError: ")
    text = str(error)
    choice = re.search(r"Could not find '([\w/]+)/([^'/]+)'", text)
    if choice:
        group, name = choice.groups()
        return f"there is no {group}={name}; {_suggest(name, _choices(group))}"
    key = re.search(r"Key '(\w+)' is not in struct", text) or re.search(r"No match in the defaults list[^']*'(\w+)", text)
    if key:
        override = re.search(r"Could not override '([^']+)'", text)
        return f"there is no key '{override.group(1) if override else key.group(1)}'; look at the keys with --cfg job."
    return " ".join(text.split())


def _choices(group: str) -> list[str]:
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def _suggest(name: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(name, choices, n=1)
    return (f"did you mean {close[0]}? " if close else "") + f"Choose one of {', '.join(choices)}."
