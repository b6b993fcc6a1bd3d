"""The README keeps its word: every command composes, every path in its tree exists, every picture is there."""

import re
import shlex
from pathlib import Path

import hydra
import pytest

from pvtseg.paths import config_dir

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"(?:^    |uv run )((?:python )?(?:train|eval)\.py (?=\S)[^\n`&]*)", README, flags=re.MULTILINE)
TREE = re.findall(r"^    ([\w./]+)(?: {2,}\S.*)?$", README.partition("## The tree")[2].partition("\n## ")[0], flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_composes(command: str) -> None:
    script, *overrides = [word for word in shlex.split(command.partition("#")[0]) if word not in ("python", "-m", "...")]
    overrides = [override.partition(",")[0] if "[" not in override else override for override in overrides]  # one of a sweep
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        assert hydra.compose(Path(script).stem, overrides)


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 5


def test_every_path_in_the_tree_exists() -> None:
    assert len(TREE) >= 20
    assert [path for path in TREE if not (ROOT / path).exists()] == []


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []
