"""Folders: of the configuration files, and of what is kept between runs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def config_dir() -> Path:
    """The absolute path of the folder that holds train.yaml: beside the package in a
    checkout, inside it in a wheel.
    """
    installed = Path(__file__).parent / "configs"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "configs"


def cache_file(kind: str, source: str | os.PathLike[str], suffix: str) -> Path:
    """The file in the cache for something that was derived from `source`, a file or
    folder; it may not exist.

    The cache is $PVTSEG_CACHE, or ~/.cache/pvtseg. Removing it costs time only.
    """
    cache = Path(os.environ.get("PVTSEG_CACHE") or "~/.cache/pvtseg").expanduser()
    path = Path(source).expanduser().resolve()
    digest = hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()
    return cache / kind / f"{path.name}-{digest}{suffix}"
