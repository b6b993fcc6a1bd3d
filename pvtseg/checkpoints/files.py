"""Our checkpoint files: weights together with the configuration that made them, and the
version of its format.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from pvtseg.checkpoints.io import State, Weights
from pvtseg.checkpoints.trust import check_plain
from pvtseg.checkpoints.versions import VERSION, upgrade
from pvtseg.errors import UserError
from pvtseg.files import replacing

CONFIG_KEY = "pvtseg"  # in a .ckpt, and in the metadata of a .safetensors


def pack(config: dict[str, Any]) -> dict[str, Any]:
    """The value of CONFIG_KEY in a .ckpt: the configuration and the version of its format."""
    return {"version": VERSION, "config": config}


def write_model(path: Path, state: State, config: dict[str, Any]) -> None:
    """Writes a .safetensors file of the weights with the configuration inside."""
    write_tensors(path, state, {CONFIG_KEY: json.dumps(pack(config))})


def write_tensors(path: Path, state: State, metadata: dict[str, str]) -> None:
    """Writes a .safetensors file, completely or not at all."""
    contiguous = {name: tensor.detach().contiguous().cpu() for name, tensor in state.items()}
    with replacing(path) as partial:
        partial.touch()
        mode = partial.stat().st_mode
        save_file(contiguous, partial, metadata={"format": "pt", **metadata})
        partial.chmod(mode)  # safetensors lets nobody but the owner read, whatever the umask says


def is_ours(weights: Weights) -> bool:
    """True if the configuration is in the file."""
    return CONFIG_KEY in weights.extras


def unpack(weights: Weights) -> tuple[dict[str, Any], State]:
    """(configuration, weights) of a file of ours, brought to today's version.

    A .ckpt names the weights after the task's attribute `model`. Raises UserError for a
    damaged configuration, and for one of a version that is not known yet.
    """
    of_model = {name[len("model.") :]: tensor for name, tensor in weights.state.items() if name.startswith("model.")}
    version, config = _versioned(weights.extras[CONFIG_KEY])
    return upgrade(version, config, of_model or weights.state)


def _versioned(packed: Any) -> tuple[int, dict[str, Any]]:
    """(version, configuration) of the value of CONFIG_KEY; before versions were
    counted, it was the configuration.
    """
    try:
        packed = json.loads(packed) if isinstance(packed, str) else packed
    except json.JSONDecodeError as error:
        raise UserError(f"its configuration is not JSON ({error}); save the model again.") from error
    version, config = (packed.get("version"), packed.get("config")) if _is_packed(packed) else (0, packed)
    if (
        isinstance(version, bool)
        or not isinstance(version, int)
        or not isinstance(config, dict)
        or "backbone" not in config
    ):
        raise UserError("its configuration is not one of pvtseg; save the model again.")
    check_plain(config)
    return version, config


def _is_packed(packed: Any) -> bool:
    return isinstance(packed, dict) and "version" in packed
