"""Files that are written completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path`. The file written there replaces `path` at the end.

    It is flushed to the disk first and renamed then, so that a process that is killed
    at any moment leaves the old file or the new one. After an error the old file stays
    and the new one is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _flush_names(path.parent)


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Writes the file completely or not at all. Returns its path. Raises ValueError for NaN."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def _flush_names(folder: Path) -> None:
    """Flushes the folder itself, which holds the new name, on systems that can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
