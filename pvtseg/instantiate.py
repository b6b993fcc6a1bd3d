"""From a node of the configuration to the object that it describes, with errors that
name the key.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Mapping
from inspect import isclass
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from pvtseg.errors import UserError

Config = dict[str, Any]
NUMBERS: dict[str, tuple[tuple[type, ...], str, str]] = {  # an annotation -> the types, what is expected, an example
    "int": ((int,), "a whole number", "1"),
    "int | None": ((int, type(None)), "a whole number, or null", "1"),
    "float": ((int, float), "a number", "0.5"),
    "float | None": ((int, float, type(None)), "a number, or null", "0.5"),
}


def make(node: Any, key: str, *parts: Any, several: Callable[[dict[str, Any]], Any], **named_parts: Any) -> Any:
    """The part that a node with `_target_` describes; for a mapping of nodes, `several`
    of the parts by name.

    key: of the node in the configuration, for messages. parts: what each constructor
    gets beside the node's values.
    """
    if not isinstance(node, Mapping) or "_target_" in node:
        return instantiate_node(node, key, *parts, **named_parts)
    return several({name: instantiate_node(node[name], f"{key}.{name}", *parts, **named_parts) for name in node})


def instantiate_node(node: Any, key: str, *parts: Any, **named_parts: Any) -> Any:
    """The object that a node with `_target_` describes. Raises UserError for values
    that its constructor refuses.
    """
    return partial_node(node, key)(*parts, **named_parts)


def partial_node(node: Any, key: str) -> Callable[..., Any]:
    """A function that makes what the node describes, from the parts that it is called with."""
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise UserError(
            f"{key} is {_shown(node)}; expected a part, which is a mapping with _target_; correct it, "
            f"or leave it out with '~{key}' where it is optional."
        )
    check_numbers(node, key)

    def build(*parts: Any, **named_parts: Any) -> Any:
        try:
            return instantiate(node, _partial_=True, _convert_="all")(*parts, **named_parts)
        except (InstantiationException, TypeError, ValueError, RuntimeError) as error:
            raise explained(error, key) from error

    return build


def check_numbers(node: Any, key: str) -> None:
    """Raises UserError where a constructor wants a number and the node has something
    else, nested nodes included.
    """
    if not isinstance(node, Mapping):
        return
    for name in node:
        check_numbers(node[name], f"{key}.{name}")
    annotations = _annotations(node["_target_"], key) if "_target_" in node else {}
    for name in node:
        kinds, wanted, example = NUMBERS.get(annotations.get(name, ""), ((object,), "", ""))
        value = node[name]
        if not isinstance(value, kinds) or (wanted and isinstance(value, bool)):
            raise UserError(f"{key}.{name} is {_shown(value)}; expected {wanted}, such as {key}.{name}={example}.")


def _annotations(target: Any, key: str) -> dict[str, str]:
    """The annotations of a constructor's arguments, literally."""
    try:
        found = _located(str(target))
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"{key}._target_ is {_shown(target)}, which cannot be imported ({' '.join(str(error).split())}); "
            "correct the name, or install its package."
        ) from error
    written = getattr(found.__init__ if isclass(found) else found, "__annotations__", {})
    return {
        name: hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint)) for name, hint in written.items()
    }


def _located(target: str) -> Any:
    """The object under a dotted name, which may lead into a class.

    Raises ImportError also for a package that the module itself needs.
    """
    module, _, name = target.rpartition(".")
    try:
        return pkgutil.resolve_name(f"{module}:{name}")
    except ModuleNotFoundError as error:
        if not target.startswith(error.name or target):
            raise
        return pkgutil.resolve_name(target)


def explained(error: Exception, key: str) -> UserError:
    """The reason that building from the node `key` failed."""
    cause: BaseException = error
    while not isinstance(cause, UserError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, UserError):
        return cause
    if isinstance(error, InstantiationException) and (nested := re.search(r"full_key: (\S+)", str(error))):
        key = f"{key}.{nested[1]}"
    text = " ".join(str(cause).split())
    if unexpected := re.search(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", text):
        owner, argument = unexpected.groups()
        return UserError(f"{owner} has no option '{argument}' ({key}.{argument}); correct or remove it.")
    if missing := re.search(r"(\w+)(?:\.__init__)?\(\) missing .* required .*argument.*?: (.*)", text):
        owner, arguments = missing.groups()
        return UserError(f"{owner} needs {arguments}, which the configuration does not give; set it under {key}.")
    return UserError(
        f"{key} cannot be built from its values: {text.rstrip('.')}; correct them "
        "(HYDRA_FULL_ERROR=1 shows where it failed)."
    )


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)
