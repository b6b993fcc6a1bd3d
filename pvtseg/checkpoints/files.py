"""Our checkpoint files: weights together with the configuration that made them, read without running code."""

import json
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pvtseg.interfaces import UserError

CONFIG_KEY = "pvtseg"  # in a .ckpt and in the metadata of a .safetensors

State = dict[str, Tensor]


def write_model(path: Path, state: State, config: dict[str, Any]) -> None:
    """A .safetensors file of the weights with the configuration inside. Whole or not at all."""
    partial = path.with_suffix(".partial")
    contiguous = {name: tensor.detach().contiguous().cpu() for name, tensor in state.items()}
    save_file(contiguous, partial, metadata={CONFIG_KEY: json.dumps(config), "format": "pt"})
    partial.replace(path)


def read_model(path: Path) -> tuple[dict[str, Any], State]:
    """(configuration, weights) of a .ckpt or .safetensors of ours, told apart by their content.

    Raises UserError when the file is missing, damaged, or of another kind.
    """
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}; give the path of a .ckpt or .safetensors file that a run wrote.")
    return _read_checkpoint(path) if _is_zip(path) else _read_safetensors(path)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _read_safetensors(path: Path) -> tuple[dict[str, Any], State]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
    except SafetensorError as error:
        raise UserError(f"{path} is neither a .ckpt nor a .safetensors file, or it is damaged ({error}).") from error
    if CONFIG_KEY not in metadata:
        raise _not_ours(path)
    return json.loads(metadata[CONFIG_KEY]), state


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], State]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} cannot be read: it is damaged or holds more than weights.") from error
    if not isinstance(content, dict) or CONFIG_KEY not in content:
        raise _not_ours(path)
    weights = content["state_dict"]
    return content[CONFIG_KEY], {name[6:]: weights[name] for name in weights if name.startswith("model.")}


def _not_ours(path: Path) -> UserError:
    return UserError(f"{path} holds weights but not the configuration that made them; give a checkpoint that a run wrote.")
