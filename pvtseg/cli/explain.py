"""An error as one line: what was seen, what was expected, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pvtseg.errors import UserError
from pvtseg.paths import config_dir


def explain(error: Exception, config_name: str, given: Sequence[str] = ()) -> str:
    """The line that a command ends with. given: the arguments, for a suggestion that
    fits them.
    """
    text = str(error).strip()
    if isinstance(error, UserError):
        # From a data-loading process the message comes as the last line of the traceback there.
        return re.sub(r"^pvtseg\.[\w.]+Error: ", "", text.splitlines()[-1])
    if choice := re.search(r"Could not (?:find|load) '([\w/]+)/([^'/]+)'", text):
        return _no_choice(choice[1], choice[2], error)
    if override := re.search(r"Could not override '([^']+)'", text):
        key = override.group(1)
        close = did_you_mean(key, list(_keys(config_name, given)))
        return f"there is no key '{key}'; {close}--cfg job lists the keys of a run."
    if missing := re.search(r"Missing mandatory value[\s\S]*full_key: ([\w.]+)", text):
        return f"{missing.group(1)} is not given; add {missing.group(1)}=... to the command line."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {str(error.strerror).lower()}; choose another place, such as another hydra.run.dir."
    return " ".join(text.split())


def _no_choice(group: str, name: str, error: Exception) -> str:
    """The choices of a group, those in folders of --config-dir among them."""
    options = error.options if isinstance(error, MissingConfigException) and error.options else []
    choices = sorted(option for option in options if not option.startswith("_"))
    if not choices:
        choices = sorted(path.stem for path in (config_dir() / group).glob("[!_]*.yaml"))
    if data := re.fullmatch(r"data/(\w+)", group):
        tasks = " or ".join(f"task={task}" for task in choices)
        return f"data={data.group(1)} has no labels for task={name}; use {tasks}, or other data."
    return f"there is no {group}={name}; {did_you_mean(name, choices)}choose one of {', '.join(choices)}."


def did_you_mean(name: str, choices: Sequence[str]) -> str:
    """The nearest choice as a question, or nothing."""
    close = difflib.get_close_matches(name, choices, n=1)
    return f"did you mean {close[0]}? " if close else ""


def _keys(config_name: str, given: Sequence[str]) -> Iterator[str]:
    """Every key of the configuration, dotted: with the groups that the command line
    chose, or without them.
    """
    chosen = [argument for argument in given if re.fullmatch(r"\w+=[\w\[\],]+", argument)]
    for overrides in (chosen, []):
        try:
            GlobalHydra.instance().clear()
            with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
                composed = OmegaConf.to_container(hydra.compose(config_name, overrides))
        except (HydraException, OmegaConfBaseException):  # a choice is wrong, or comes from elsewhere
            continue
        yield from dotted(composed, "")
        return


def dotted(node: Any, prefix: str) -> Iterator[str]:
    """Every key of nested mappings, joined by dots."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from dotted(value, f"{prefix}{key}.")
