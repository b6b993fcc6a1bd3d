"""Command lines as a user would type them: the right program, and values that paste
into a shell.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

SCRIPTS = {"train": "train.py", "eval": "eval.py"}  # of a checkout
PLAIN = re.compile(r"[\w./:@%+~-]*")  # what Hydra reads literally, whatever stands in it


def command(verb: str, *overrides: str) -> str:
    """The command line of a verb: `python eval.py ...` when a checkout's script runs,
    else `pvtseg eval ...`.
    """
    script = Path(sys.argv[0])
    start = f"pvtseg {verb}"
    if verb in SCRIPTS and script.name in SCRIPTS.values():
        interpreter = "uv run" if "UV_RUN_RECURSION_DEPTH" in os.environ else "python"
        start = f"{interpreter} {shlex.quote(str(script.with_name(SCRIPTS[verb])))}"
    return " ".join([start, *(shlex.quote(override) for override in overrides)])


def override(key: str, value: object) -> str:
    """`key=value` in Hydra's grammar; a value with spaces, commas or equal signs gets
    the quotes that it needs.
    """
    text = str(value)
    if not PLAIN.fullmatch(text):
        text = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"{key}={text}"
