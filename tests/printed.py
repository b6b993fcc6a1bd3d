"""The commands and Python blocks that the documentation prints, and what is put in the
place of their placeholders.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from short_runs import FOLDERS, RECIPES, SCENES, TWO_STEPS, recipe_of

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
PROGRAM = r"(?:python3? |pvtseg |uv run |pip install )"
FENCED = re.compile(r"^```\w*\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n|^\n(?= {4}))+", flags=re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
REMARK = re.compile(r"\s+# .*|\s{3,}.*")


@dataclass(frozen=True)
class Command:
    """A printed command and the file that prints it."""

    text: str
    place: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def is_training(self) -> bool:
        return self.words[:2] == ["python", "train.py"] or self.words[:2] == ["pvtseg", "train"]

    def value(self, key: str) -> str | None:
        """The value of an override, None where it is not given."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{key}=")), None)


def commands() -> list[Command]:
    """Every different command of the documents and of the comments in the configuration
    files.
    """
    found: dict[str, Command] = {}
    for path in DOCUMENTS:
        for text in _in_document(path.read_text()):
            found.setdefault(text, Command(text, path.name))
    for path in CONFIGS:
        for line in path.read_text().splitlines():
            if match := re.match(rf"\s*# ({PROGRAM}.*)", line):
                for text in _split(match[1]):
                    found.setdefault(text, Command(text, str(path.relative_to(ROOT))))
    return list(found.values())


def _in_document(text: str) -> Iterator[str]:
    blocks = [*FENCED.findall(text), *INDENTED.findall(FENCED.sub("", text))]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    for line in lines:
        if re.match(PROGRAM, line):
            yield from _split(line)
    for span in SPAN.findall(text):
        if re.match(PROGRAM, span) and not _is_mention(span):
            yield from _split(span)


def _is_mention(span: str) -> bool:
    """The name of a verb, or the beginning of a command line: nothing that one would paste."""
    return re.fullmatch(r"pvtseg \w+|pvtseg --\w+|.*=|.*\.\.\.|.*VERB.*|.*/NAME\.py.*", span) is not None


def _split(line: str) -> Iterator[str]:
    """The commands of a line, without the remark at its end; `uv run` is the
    interpreter that the tests run in.
    """
    for text in REMARK.sub("", line).split(" && "):
        yield re.sub(r"^uv run (?=(?:train|eval)\.py)", "python ", text.strip()).replace("uv run python ", "python ")


def python_blocks() -> list[tuple[str, str]]:
    """The Python blocks of the documents, each with the document's name."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text()
        blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        indented = (re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in INDENTED.findall(FENCED.sub("", text)))
        blocks += [block for block in indented if re.match(r"(?:from|import) \w", block)]
        found += [(block, path.name) for block in blocks]
    return found


def arguments(command: Command, made: Path) -> list[str]:
    """The argument list of a process that runs the command as printed, with made data
    and a shorter length.

    made: a folder with data/, folders/, runs/ and hub/ as
    `tests/test_printed_commands.py` makes them.
    """
    program, *rest = command.words
    words = [_filled(word, command, made) for word in rest]
    start = [sys.executable] if program == "python" else [str(Path(sys.executable).with_name(program))]
    return [*start, *words, *shorter(command)]


def _filled(word: str, command: Command, made: Path) -> str:
    """A word of the command with its placeholder replaced."""
    if "SOURCE" in word:
        task = "depth" if (command.value("inference") or "").startswith("flip") else "segmentation"
        return word.replace("SOURCE", str(made / "runs" / task))
    if "FOLDER" in word:
        return word.replace("FOLDER", str(_folder(word, command, made)))
    return word


def _folder(word: str, command: Command, made: Path) -> Path:
    if word.startswith("output=") or not word.count("="):
        return Path("written")
    if word.startswith("paths.data="):
        return made / "data"
    if experiment := command.value("experiment"):
        return made / "folders" / recipe_of(experiment)
    task = command.value("task") or "segmentation"
    names = command.value("data.labels.names")
    return made / "folders" / (f"{task}_{names.count(',') + 1}" if names else task)


def shorter(command: Command) -> list[str]:
    """The overrides that are appended."""
    if command.words[:2] == ["pvtseg", "benchmark"]:
        return ["size=64", "batch_size=1", "seconds=0.1"]
    if command.words[:2] == ["pvtseg", "verify"]:
        few = ["verify.accept=[count]"] if command.value("data") != "folder" else []  # fewer images than are published
        return ["verify.num_workers=1", *few]
    if not command.is_training:
        return []
    if command.value("resume"):
        return [*TWO_STEPS, *SCENES, "trainer.max_steps=3"]
    if experiment := command.value("experiment"):
        return [*TWO_STEPS, *RECIPES[recipe_of(experiment)]]
    data = command.value("data")
    if data == "folder":
        return [*TWO_STEPS, *FOLDERS[command.value("task") or "segmentation"]]
    if data is None or data == "scenes":
        return [*TWO_STEPS, *SCENES]
    recipe = {"nyu_depth_labelled": "nyu_depth"}.get(data, data)
    return [*TWO_STEPS, *(override for override in RECIPES[recipe] if not override.startswith("total_batch"))]
