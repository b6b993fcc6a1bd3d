"""The README keeps its word: every path in its tree exists, every picture is there. Its
commands: test_printed_commands.py.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TREE = re.findall(
    r"^    ([\w./]+)(?: {2,}\S.*)?$", README.partition("## The tree")[2].partition("\n## ")[0], flags=re.MULTILINE
)


def test_every_path_in_the_tree_exists() -> None:
    assert len(TREE) >= 20
    assert [path for path in TREE if not (ROOT / path).exists()] == []


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []
