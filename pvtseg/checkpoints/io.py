"""Reads the weights out of a file of any kind, told by its content, without running
code that may be in it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pvtseg.errors import UserError

State = dict[str, Tensor]

WRAPPERS = ("state_dict", "model", "state_dict_ema", "model_state_dict")  # under which training code puts its weights
PREFIXES = ("module.", "model.")  # which DataParallel and Lightning put before every name


class HistoryBuffer:
    """Stands in for a class of mmengine, which stores the course of the loss beside the
    weights. It does nothing.
    """


def _no_method(owner: Any, name: str) -> None:
    """Stands in for getattr, by which a pickle names the methods of a HistoryBuffer. It
    looks nothing up.
    """


# What training scripts store beside the weights. Reading it runs nothing of theirs; old
# numpy used the other module names.
HARMLESS = [
    (HistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_no_method, "builtins.getattr"),
    argparse.Namespace,
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int32", "int64", "bool", "uint8")),
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *((np.zeros(0).__reduce__()[0], f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
]
OTHER_FILES = {  # how files begin that people take for weights
    b"version https://git-lfs": "a pointer of git-lfs in the file's place; fetch the file itself with git lfs pull",
    b"<!doctype html": "a web page; download the file itself, and not the page that shows it",
    b"<html": "a web page; download the file itself, and not the page that shows it",
    b"\x89HDF": "an HDF5 file, as TensorFlow writes them; give the PyTorch weights",
    b"\x1f\x8b": "a gzip archive; unpack it first",
}


class Weights(NamedTuple):
    """A file's tensors by name, without wrappers, and what else stood beside them."""

    state: State
    extras: dict[str, Any]


def read_weights(path: Path) -> Weights:
    """The content of a safetensors file, or of a file of torch.save. Raises UserError
    for any other, or a damaged one.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise UserError(f"{path} is empty; download or write it again.")
    for beginning, meaning in OTHER_FILES.items():
        if start.lower().startswith(beginning.lower()):
            raise UserError(f"{path} holds no weights: it is {meaning}.")
    return _read_safetensors(path) if start[8:9] == b"{" else _read_torch(path, start)


def _read_safetensors(path: Path) -> Weights:
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
            return Weights(_without_prefix(state), dict(file.metadata() or {}))
    except SafetensorError as error:
        raise UserError(
            f"{path} is a safetensors file that is cut off or damaged ({error}); download or write it again."
        ) from error


def _read_torch(path: Path, start: bytes) -> Weights:
    is_zip = start.startswith(b"PK")
    if is_zip and not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} begins as a file of torch.save but has no end: it is cut off; download or write it again."
        )
    try:
        with torch.serialization.safe_globals(HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise _unreadable(path) from error
    if not isinstance(content, Mapping):
        raise UserError(
            f"{path} holds a {type(content).__name__}; expected a dictionary of tensors; save model.state_dict()."
        )
    return _unwrap(path, content)


def _refusal(path: Path, reason: str) -> UserError:
    """The error for a pickle that names a function, which torch tells; without one, the
    bytes are not a pickle.
    """
    wanted = re.search(r"(?:GLOBAL|global|class) ([\w.]+\.\w+)", reason)
    if wanted is None:
        return _unreadable(path)
    return UserError(
        f"{path} is refused: reading it would run {wanted.group(1)}, and weights need no code; "
        "get them as safetensors, or save the state_dict alone."
    )


def _unreadable(path: Path) -> UserError:
    return UserError(
        f"{path} is neither a safetensors file nor one of torch.save, or it is damaged; "
        "give a file of weights, or download it again."
    )


def _unwrap(path: Path, content: Mapping[str, Any]) -> Weights:
    wrapper = next((name for name in WRAPPERS if isinstance(content.get(name), Mapping)), None)
    weights = content if wrapper is None else content[wrapper]
    state = {name: tensor for name, tensor in weights.items() if isinstance(name, str) and isinstance(tensor, Tensor)}
    if not state:
        raise UserError(f"{path} holds no tensors, but {_listing(weights)}; give a file of weights.")
    extras = {name: value for name, value in content.items() if name != wrapper and not isinstance(value, Tensor)}
    return Weights(_without_prefix(state), extras)


def _without_prefix(state: State) -> State:
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _listing(content: Mapping[str, Any]) -> str:
    names = [str(name) for name in content]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "nothing"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises UserError for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON ({error}); download or write it again.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}; expected a JSON object; download the file again.")
    return content
