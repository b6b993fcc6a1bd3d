"""Every message ends with one full stop."""

import ast
from pathlib import Path

import pytest

import pvtseg

ROOT = Path(pvtseg.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def messages(file):
    """The text that each UserError is made of, without what is filled in, by line."""
    for node in ast.walk(ast.parse(file.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id.endswith("Error")
            and node.args
        ):
            text = node.args[0]
            if node.func.id in ("RuntimeError", "IndexError", "AttributeError"):
                continue
            if isinstance(text, ast.JoinedStr):
                yield (
                    node.lineno,
                    "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in text.values),
                )
            elif isinstance(text, ast.Constant):
                yield node.lineno, text.value


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_messages_end_with_one_full_stop(file):
    wrong = [f"{file}:{line} {text}" for line, text in messages(file) if not text.endswith(".") or text.endswith("..")]
    assert [text for text in wrong if not text.endswith("{}: {}")] == []  # an error that another one's text ends


def test_there_are_messages():
    assert sum(len(list(messages(file))) for file in FILES) > 60
