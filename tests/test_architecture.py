"""The layers of packages: imports go down only."""

import ast
from pathlib import Path

import pvtseg

PACKAGE = Path(pvtseg.__file__).parent
ROOT = PACKAGE.parent


def test_imports_go_down_only(monkeypatch, capsys):
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


def imports_of(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_only_build_load_and_the_command_line_know_hydra():
    knowing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if imports_of(path) & {"hydra", "omegaconf"}
    }
    assert knowing <= {"build.py", "instantiate.py", "load.py", "api.py", "cli"}
    assert "cli" in knowing


def test_albumentations_is_known_to_the_transforms_alone():
    knowing = {path for path in PACKAGE.rglob("*.py") if "albumentations" in imports_of(path)}
    assert knowing
    assert all(path.is_relative_to(PACKAGE / "data" / "transforms") for path in knowing)


def test_an_init_only_hands_names_on():
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent != PACKAGE:
            kinds = {type(node) for node in ast.parse(path.read_text()).body}
            assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}, path
