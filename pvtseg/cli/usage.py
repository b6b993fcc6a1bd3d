"""The help of a verb, read from its yaml file: examples and keys stand there with a
comment each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pvtseg.cli.program import command
from pvtseg.paths import config_dir

EXAMPLE = re.compile(r"# (?:python (?:train|eval)\.py|pvtseg \w+) ")
SCRIPT = re.compile(r"^python (train|eval)\.py")
KEY = re.compile(r"(?P<indent> *)(?P<key>\w+):(?: (?P<value>[^#]*?))?(?:  # (?P<comment>.*))?")
GROUP = re.compile(r"  - (?:optional )?(?P<group>[\w/]+): [^#]*?(?:  # (?P<comment>.*))?")
HIDDEN = ("hydra", "defaults")


def usage(verb: str, config: str, summary: str) -> str:
    """The text of `pvtseg VERB --help`."""
    text = (config_dir() / f"{config}.yaml").read_text().splitlines()
    header = list(_header(text))
    examples = [SCRIPT.sub(command(verb), line.removeprefix("# ")) for line in header if EXAMPLE.match(line)]
    about = [line.removeprefix("#").strip() for line in header if not EXAMPLE.match(line)]
    keys = list(_keys(text))
    width = max((len(key) for key, _ in keys), default=0)
    lines = [f"usage: {command(verb)} key=value ...", "", summary, "", *filter(None, about), ""]
    lines += ["examples:", *(f"  {example}" for example in examples), ""]
    lines += ["keys:", *(f"  {key:{width}}  {meaning}".rstrip() for key, meaning in keys), ""]
    if any(line.strip() == "- train" for line in text):
        lines += ["  and those of pvtseg train, where they apply (pvtseg train --help)", ""]
    lines += [
        "--cfg job prints every key with its value, -m runs a sweep over values with commas,",
        "--config-dir FOLDER adds configuration files of your own.",
    ]
    return "\n".join(lines)


def _header(text: list[str]) -> Iterator[str]:
    """The comment lines that a file opens with."""
    for line in text:
        if not line.startswith("#"):
            return
        if not line.startswith("# @package"):
            yield line


def _keys(text: list[str]) -> Iterator[tuple[str, str]]:
    """Every key and config group of a file with its meaning: the comment, the value,
    the choices.
    """
    parents: list[str] = []
    for line in text:
        if found := GROUP.fullmatch(line):
            if not (config_dir() / found["group"]).is_dir():
                continue
            yield f"{found['group']}=", "; ".join(filter(None, [found["comment"], _choices(found["group"])]))
        elif found := KEY.fullmatch(line):
            parents = [*parents[: len(found["indent"]) // 2], found["key"]]
            if parents[0] in HIDDEN or not (found["value"] or found["comment"]):
                continue
            value = found["value"] or ""
            yield f"{'.'.join(parents)}=", _meaning(value.strip(), found["comment"])


def _choices(group: str) -> str:
    names = sorted(path.stem for path in (config_dir() / group).glob("[!_]*.yaml"))
    shown = names if len(names) <= 14 else [*names[:3], "...", names[-1]]
    return ", ".join(shown)


def _meaning(value: str, comment: str | None) -> str:
    default = {"???": "has to be given", "null": ""}.get(value, f"default {value}")
    return "; ".join(filter(None, [comment, default]))
