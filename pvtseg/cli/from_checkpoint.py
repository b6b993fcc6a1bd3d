"""The configuration that a checkpoint carries, with what the command line names put in
its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from pvtseg.build import PART_KEYS
from pvtseg.cli.explain import did_you_mean, dotted
from pvtseg.errors import UserError
from pvtseg.paths import config_dir

BOUND = ("task", "experiment", "backbone", "head", "auxiliary")  # what the weights are bound to
READ_FROM_DATA = ("metrics", "visualizer")  # parts that state facts of the data
VALUE_OF_A_PART = re.compile(r"(\w+)\.[^=]+=")
ABSENT = object()


def with_its_task(arguments: Sequence[str]) -> list[str]:
    """The arguments with what Hydra needs to compose for a checkpoint, because Hydra
    does not know the checkpoint's parts.

    `task=NAME` is added because data=... has other labels for each task. `++` is added
    to values of parts because a key such as data.root may exist only in the checkpoint.
    """
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    if given.get("checkpoint", "null") == "null":
        return list(arguments)
    forced = [f"++{argument}" if _is_value_of_a_part(argument) else argument for argument in arguments]
    return forced if "task" in given else [*forced, *_its_task(given, arguments)]


def _is_value_of_a_part(argument: str) -> bool:
    found = VALUE_OF_A_PART.match(argument)
    return found is not None and found[1] in PART_KEYS


def _its_task(given: Mapping[str, str], arguments: Sequence[str]) -> list[str]:
    """`task=NAME`, where the task of the checkpoint has a configuration file here; its
    stored parts do without.
    """
    from pvtseg.checkpoints.checkpoint import (
        read_checkpoint,
    )  # waits for torch, and nobody needs it without a checkpoint

    source, trust = (_first(given, key) for key in ("checkpoint", "trust"))
    name = read_checkpoint(str(source), **({"trust": trust} if trust else {})).config.get("task", {}).get("name")
    folders = [config_dir(), *_own_config_dirs(arguments)]
    return [f"task={name}"] if any((folder / "task" / f"{name}.yaml").is_file() for folder in folders) else []


def _first(given: Mapping[str, str], key: str) -> Any:
    """The value of a key as Hydra reads it; of a sweep, the first."""
    if key not in given:
        return None
    override = OverridesParser.create().parse_override(f"{key}={given[key]}")
    return next(override.sweep_iterator()) if override.is_sweep_override() else override.value()


def _own_config_dirs(arguments: Sequence[str]) -> list[Path]:
    """The folders of --config-dir and hydra.searchpath."""
    text = "\n".join(arguments)
    found = re.findall(r"^(?:--config-dir|-cd)[=\n](.+)$", text, flags=re.MULTILINE)
    return [Path(folder) for folder in [*found, *re.findall(r"file://([^,\]\s]+)", text)]]


def overridden(stored: Mapping[str, Any], composed: DictConfig, arguments: Sequence[str]) -> DictConfig:
    """The run's keys as composed, the checkpoint's parts as stored, and over both what
    the command line names.

    Other data keeps the checkpoint's normalization and evaluation transform, because
    its weights know images prepared like that; naming data.eval_transform replaces it.
    Raises UserError for an override of the task or the model, which the weights are
    bound to, and for a key that the checkpoint's configuration lacks.
    """
    plain: Any = OmegaConf.to_container(composed)
    overrides = OverridesParser.create().parse_overrides(list(arguments))
    for override in overrides:
        _check_bound(override, stored)
    chosen = {_top(override) for override in overrides if _is_choice(override)}
    config = {**plain, **stored, **{key: plain[key] for key in chosen if key in plain}}
    if "task" in stored:
        config["task"] = stored["task"]
    values = [override for override in overrides if not _is_choice(override)]
    if "data" in chosen:
        config["data"] = {
            **config["data"],
            **_preparation(stored["data"], values),
            **_classes(config["data"], stored["data"]),
        }
    if any(_top(override) == "data" for override in overrides):
        for part in READ_FROM_DATA:
            config[part] = _linked_to_data(config.get(part), plain.get(part))
    result = OmegaConf.create(config)
    for override in values:
        key = override.key_or_group
        is_composed = _top(override) in chosen and not key.startswith("data.eval_transform.")
        if not is_composed and _top(override) in stored:
            _put(result, override, OmegaConf.select(composed, key))
    return result


def _top(override: Override) -> str:
    return re.split(r"[./@]", override.package or override.key_or_group)[0]


def _is_choice(override: Override) -> bool:
    """True for an override of a whole part, `data=folder`, False for a value in one,
    `data.root=FOLDER`.
    """
    return override.package is not None or "." not in override.key_or_group


def _check_bound(override: Override, stored: Mapping[str, Any]) -> None:
    top = _top(override)
    is_the_same_task = top == "task" and _is_choice(override) and override.value() == stored.get("task", {}).get("name")
    if top in BOUND and not is_the_same_task:
        raise UserError(
            f"{override.key_or_group} belongs to the checkpoint and cannot be changed here; "
            "leave it out, or train another model."
        )


def _preparation(stored: Mapping[str, Any], values: Sequence[Override]) -> dict[str, Any]:
    """The checkpoint's preparation of its images: what stays when other data is named."""
    named = {override.key_or_group for override in values}
    replaced = named & {"data.eval_transform", "data.eval_transform._target_"}
    kept = ("normalize",) if replaced else ("normalize", "eval_transform")
    return {key: stored[key] for key in kept if key in stored}


def _classes(data: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The labels of other data; with the checkpoint's classes where neither names nor
    their number are given.
    """
    labels, known = data.get("labels"), stored.get("labels")
    if not labels or not known or labels["_target_"] != known["_target_"]:
        return {}
    if labels.get("names") is not None or labels.get("num_classes") is not None:
        return {}
    return {"labels": {**labels, **{key: known.get(key) for key in ("names", "num_classes", "palette")}}}


def _linked_to_data(stored: Any, composed: Any) -> Any:
    """A stored part whose values that are the data's, such as class names, follow the
    data that is named now.
    """
    if not isinstance(stored, Mapping) or not isinstance(composed, Mapping):
        return composed if isinstance(composed, str) and composed.startswith("${data.") else stored
    if stored.get("_target_") != composed.get("_target_"):
        return stored
    return {key: _linked_to_data(value, composed.get(key)) for key, value in stored.items()}


def _put(config: DictConfig, override: Override, value: Any) -> None:
    """Sets one value of a stored part. The folder of the data is set wherever the data
    names it.
    """
    key = override.key_or_group
    parent, _, name = key.rpartition(".")
    holder = OmegaConf.select(config, parent)
    if override.is_delete():
        if holder is not None:
            holder.pop(name, None)
        return
    old = OmegaConf.select(config, key, default=ABSENT)
    if old is ABSENT and not (override.is_add() and not override.is_force_add()):
        close = did_you_mean(key, list(dotted(OmegaConf.to_container(config), "")))
        raise UserError(
            f"the checkpoint's configuration has no key '{key}'; {close}leave it out, or name other data, "
            "such as data=folder."
        )
    OmegaConf.update(config, key, value, force_add=True)
    if key == "data.root":
        for part in ("train", "val", "labels"):
            if old is not None and OmegaConf.select(config, f"data.{part}.root") == old:
                config.data[part].root = value
