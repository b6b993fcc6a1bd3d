"""From a node of the configuration to the object that it describes, with errors that name the key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import isclass
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate

from pvtseg.errors import UserError

Config = dict[str, Any]
NUMBERS = {  # how an annotation is written -> what is wanted, and an example
    "int": ("a whole number", "1"),
    "int | None": ("a whole number, or null", "1"),
    "float": ("a number", "0.5"),
    "float | None": ("a number, or null", "0.5"),
}


def make(node: Any, key: str, *parts: Any, several: Callable[[dict[str, Any]], Any], **named_parts: Any) -> Any:
    """The part that a node with `_target_` describes; for a mapping of nodes, `several` of the parts by name.

    key: of the node in the configuration, for messages. parts: what each constructor gets beside the node's values.
    """
    if "_target_" in node:
        return instantiate_node(node, key, *parts, **named_parts)
    return several({name: instantiate_node(node[name], f"{key}.{name}", *parts, **named_parts) for name in node})


def instantiate_node(node: Any, key: str, *parts: Any, **named_parts: Any) -> Any:
    """The object that a node with `_target_` describes. Raises UserError for values that its constructor refuses."""
    return partial_node(node, key)(*parts, **named_parts)


def partial_node(node: Any, key: str) -> Callable[..., Any]:
    """A function that makes what the node describes, from the parts that it is called with."""

    def build(*parts: Any, **named_parts: Any) -> Any:
        try:
            check_numbers(node, key)
            return instantiate(node, _partial_=True, _convert_="all")(*parts, **named_parts)
        except (InstantiationException, TypeError, ValueError, AttributeError) as error:
            raise explained(error, key) from error

    return build


def check_numbers(node: Any, key: str) -> None:
    """Raises UserError where a constructor wants a number and the node has something else, nested nodes included."""
    if not isinstance(node, Mapping):
        return
    for name in node:
        check_numbers(node[name], f"{key}.{name}")
    for name, annotation in _annotations(node.get("_target_")).items():
        value = node.get(name)
        wanted, example = NUMBERS.get(annotation, (None, None))
        if wanted and (isinstance(value, str | bool) or (example == "1" and isinstance(value, float))):
            raise UserError(f"{key}.{name} is {value!r}; wanted is {wanted}, such as {key}.{name}={example}.")


def _annotations(target: Any) -> dict[str, str]:
    """The annotations of a constructor's arguments, as they are written; none where the target is not known."""
    if not isinstance(target, str):
        return {}
    try:
        found = get_object(target)
    except (ImportError, AttributeError, ValueError):
        return {}  # Hydra says so when it builds the node
    written = getattr(found.__init__ if isclass(found) else found, "__annotations__", {})
    return {name: hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint)) for name, hint in written.items()}


def explained(error: Exception, key: str) -> UserError:
    """Why building from the node `key` failed."""
    cause: BaseException = error
    while not isinstance(cause, UserError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, UserError):
        return cause
    text = " ".join(str(cause).split())
    if unexpected := re.search(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", text):
        owner, argument = unexpected.groups()
        return UserError(f"{owner} has no option '{argument}' ({key}.{argument}); correct or remove it.")
    if missing := re.search(r"(\w+)(?:\.__init__)?\(\) missing .* required .*argument.*?: (.*)", text):
        owner, arguments = missing.groups()
        return UserError(f"{owner} needs {arguments}, which the configuration does not give; set it under {key}.")
    if target := re.search(r"Error locating target '([^']+)'", text):
        return UserError(f"{key}._target_ is {target[1]}, which cannot be imported; correct the name, or install its package.")
    return UserError(
        f"{key} cannot be built from its values: {text.rstrip('.')}; correct them (HYDRA_FULL_ERROR=1 shows where it failed)."
    )
