"""A configuration that comes out of a file runs nothing: only parts of pvtseg are built
from it.

Hydra builds every dictionary with `_target_`, at any depth, whatever it names; and it
resolves interpolations, which read the environment. So the configuration is checked
before Hydra sees it. The user opens further packages by `trust`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from inspect import isclass, isfunction, ismethod
from pathlib import Path
from typing import Any

from pvtseg.errors import UserError

Config = dict[str, Any]

PACKAGE = "pvtseg"
PARTS = (  # packages and modules of pvtseg whose public classes and functions are parts
    "backbones",
    "heads",
    "losses",
    "metrics",
    "inference",
    "optim",
    "tasks",
    "data.folder",
    "data.imagenet",
    "data.module",
    "data.normalize",
    "data.nyu_depth",
    "data.scenes",
    "data.target_info",
    "data.transforms",
)
ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
SPECIAL = re.compile(r"_\w+_", re.ASCII)  # keys that Hydra reads itself, such as _args_ and _partial_
DEEPEST = 40  # containers in each other; the deepest configuration of ours has 8
ROOT = Path(__file__).parents[1]


def check(config: Config, trust: Sequence[str] = ()) -> None:
    """Raises UserError for a configuration that would run more than parts of pvtseg and
    of the trusted packages.

    trust: names of packages of the user's own. Nothing outside pvtseg and these
    packages is imported.
    """
    packages = (trust,) if isinstance(trust, str) else tuple(trust)
    check_plain(config)
    for key, target in _targets(config, ""):
        package = next((package for package in packages if target.startswith(f"{package}.")), None)
        if package is not None:
            _check_trusted(key, target, package)
        elif not is_part(target):
            raise UserError(
                f"its configuration wants to run {target} ({key}), which is not a part of pvtseg; {_way_out(target)}."
            )


def check_plain(config: Any) -> None:
    """Raises UserError unless this is made of dictionaries, lists and values, without
    anything that Hydra reads itself.
    """
    _check_plain(config, "", 0)


def is_part(target: str) -> bool:
    """True for the address of a part: a public class or function of a package of
    parts, in the file that defines it.

    The file is read, and not imported.
    """
    if not ADDRESS.fullmatch(target):
        return False
    package, *modules, name = target.split(".")
    if package != PACKAGE or any(word.startswith("_") for word in (*modules, name)):
        return False
    address = ".".join(modules)
    if not any(address == part or address.startswith(f"{part}.") for part in PARTS):
        return False
    return name in _defined(address)


@cache
def _defined(address: str) -> frozenset[str]:
    """The classes and functions that a module of pvtseg defines itself; none if there
    is no such module.
    """
    path = ROOT.joinpath(*address.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        return frozenset()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef))


def _check_plain(value: Any, key: str, depth: int) -> None:
    if depth > DEEPEST:
        raise UserError(f"its configuration is nested more than {DEEPEST} deep ({key[:40]}...); save the model again.")
    if type(value) is dict:
        for name, each in value.items():
            _check_key(name, key)
            _check_plain(each, f"{key}.{name}" if key else str(name), depth + 1)
    elif type(value) in (list, tuple):
        for index, each in enumerate(value):
            _check_plain(each, f"{key}[{index}]", depth + 1)
    elif type(value) is str:
        _check_text(value, key)
    elif value is not None and type(value) not in (bool, int, float):
        raise UserError(
            f"its configuration holds a {type(value).__name__} ({key}); expected plain values: save the model again."
        )


def _check_key(name: Any, key: str) -> None:
    if type(name) not in (str, int, float, bool, type(None)):
        raise UserError(
            f"its configuration has a key of type {type(name).__name__} (under {key}); save the model again."
        )
    if type(name) is not str:
        return
    _check_text(name, key)
    if SPECIAL.fullmatch(name) and name != "_target_":
        raise UserError(
            f"its configuration has the key {name} (under {key or 'its top'}), which Hydra would obey; remove it."
        )


def _check_text(text: str, key: str) -> None:
    if "${" in text:
        raise UserError(
            f"its configuration holds {text[:60]!r} ({key}), which Hydra would resolve; write the value itself."
        )


def _targets(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """(key, address) of every `_target_`."""
    if isinstance(value, dict):
        for name, each in value.items():
            below = f"{key}.{name}" if key else str(name)
            if name != "_target_":
                yield from _targets(each, below)
            elif isinstance(each, str):
                yield below, each
            else:
                raise UserError(
                    f"its configuration says {below} is a {type(each).__name__}; expected a name: save the model again."
                )
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _targets(each, f"{key}[{index}]")


def _way_out(target: str) -> str:
    package = target.partition(".")[0]
    if package == PACKAGE or not ADDRESS.fullmatch(target):
        return "use a file from a source that you know"
    return f"if {package} is a package of yours, add 'trust=[{package}]'"


def _check_trusted(key: str, target: str, package: str) -> None:
    """Raises UserError unless the trusted package itself defines this;
    `mine.torch.load` is torch's.
    """
    found: Any = None
    try:
        found = _located(target, package) if ADDRESS.fullmatch(target) else None
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"its configuration names {target} ({key}), which cannot be imported ({error}); "
            f"install {package}, or add its folder to PYTHONPATH."
        ) from error
    home = getattr(found, "__module__", None) or ""
    if not (isclass(found) or isfunction(found) or ismethod(found)) or not (
        home == package or home.startswith(f"{package}.")
    ):
        raise UserError(
            f"its configuration wants to run {target} ({key}), which {package} does not define itself; "
            "name the file that defines it."
        )


def _located(target: str, package: str) -> Any:
    """The object that the address names. Imports modules of the package only."""
    found: Any = import_module(package)
    address = package
    for word in target.removeprefix(f"{package}.").split("."):
        address = f"{address}.{word}"
        found = getattr(found, word) if hasattr(found, word) else import_module(address)
    return found
