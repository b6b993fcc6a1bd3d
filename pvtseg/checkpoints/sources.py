"""Finds what a source means: a file, a folder, or a name on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pvtseg.checkpoints import hub
from pvtseg.checkpoints.io import Weights, read_json, read_weights
from pvtseg.errors import UserError

# In a folder, the first of these; a folder with one other file of weights is as good.
KNOWN_NAMES = ("model.safetensors", "pytorch_model.bin", "model.pth")
ENDINGS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")


class Source(NamedTuple):
    """The weights that a source holds, and the settings that lie beside them."""

    name: str
    path: Path
    weights: Weights
    config: dict[str, Any]
    processor: dict[str, Any]


def open_source(source: str | Path, **hub_options: Any) -> Source:
    """Reads a source; `hub_options` are those of `hub.download`. Raises UserError when
    there is nothing to read.
    """
    path = Path(source)
    if path.is_dir():
        path = _weights_in(path)
    elif not path.is_file():
        if not hub.is_hub_id(str(source)):
            raise UserError(
                f"there is no file or folder {source}; give its path, or a name on the Hugging Face hub (owner/name)."
            )
        path = _weights_in(hub.download(str(source), **hub_options))
    settings = {file: path.with_name(file) for file in hub.SETTINGS}
    config, processor = (read_json(file) if file.is_file() else {} for file in settings.values())
    return Source(str(source), path, read_weights(path), config, processor)


def _weights_in(folder: Path) -> Path:
    for name in KNOWN_NAMES:
        if (folder / name).is_file():
            return folder / name
    files = sorted(path for path in folder.iterdir() if path.suffix in ENDINGS and path.is_file())
    if len(files) == 1:
        return files[0]
    if files:
        raise UserError(
            f"{folder} holds {len(files)} files of weights ({files[0].name}, {files[1].name}, ...); give one of them."
        )
    raise UserError(
        f"{folder} holds no weights; expected {' or '.join(KNOWN_NAMES)} in it: "
        "finish the download, or give the file itself."
    )
