"""Our checkpoint files: weights together with the configuration that made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from pvtseg.checkpoints.io import State, Weights

CONFIG_KEY = "pvtseg"  # in a .ckpt, and in the metadata of a .safetensors


def write_model(path: Path, state: State, config: dict[str, Any]) -> None:
    """A .safetensors file of the weights with the configuration inside. Whole or not at all."""
    write_tensors(path, state, {CONFIG_KEY: json.dumps(config)})


def write_tensors(path: Path, state: State, metadata: dict[str, str]) -> None:
    """A .safetensors file. Whole or not at all."""
    partial = path.with_suffix(".partial")
    contiguous = {name: tensor.detach().contiguous().cpu() for name, tensor in state.items()}
    partial.touch()
    mode = partial.stat().st_mode
    save_file(contiguous, partial, metadata={"format": "pt", **metadata})
    partial.chmod(mode)  # safetensors lets nobody but the owner read, whatever the umask says
    partial.replace(path)


def pack(config: dict[str, Any]) -> dict[str, Any]:
    """What a .ckpt holds under CONFIG_KEY."""
    return config


def is_ours(weights: Weights) -> bool:
    """Whether the configuration is in the file."""
    return CONFIG_KEY in weights.extras


def unpack(weights: Weights) -> tuple[dict[str, Any], State]:
    """(configuration, weights) of a file of ours. A .ckpt names them after the task's attribute `model`."""
    config = weights.extras[CONFIG_KEY]
    of_model = {name[len("model.") :]: tensor for name, tensor in weights.state.items() if name.startswith("model.")}
    return json.loads(config) if isinstance(config, str) else config, of_model or weights.state
