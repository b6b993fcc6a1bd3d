"""`import pvtseg`: every promised name arrives, is known to type checkers, and costs
nothing before it is used.
"""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import pvtseg

SOURCE = Path(pvtseg.__file__)
BACKBONES = [*(f"pvt_v2_b{size}" for size in range(6)), "pvt_v2_b2_linear", *(f"mit_b{size}" for size in range(6))]
FUNCTIONS = ["load_backbone", "load_model", "load_predictor", "save_model", "compose", "train", "evaluate"]


def typed_imports() -> dict[str, str]:
    """name -> module, of the imports under TYPE_CHECKING."""
    block = next(node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If))
    return {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_the_names_are_those_of_the_contract():
    assert sorted(pvtseg.__all__) == sorted([*BACKBONES, *FUNCTIONS, "UserError", "__version__"]) == sorted(dir(pvtseg))
    assert sorted(typed_imports()) == sorted([*BACKBONES, *FUNCTIONS, "UserError"])


@pytest.mark.parametrize(("name", "module"), typed_imports().items())
def test_a_name_is_what_the_type_checker_sees(name, module):
    assert getattr(pvtseg, name) is getattr(import_module(module), name)


def test_the_version_is_that_of_pyproject():
    (version,) = re.findall(r'^version = "(.+)"$', (SOURCE.parents[1] / "pyproject.toml").read_text(), re.MULTILINE)
    assert pvtseg.__version__ == version


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'pvtseg' has no attribute 'load_modle'"):
        pvtseg.load_modle  # noqa: B018


def test_importing_pvtseg_imports_no_library():
    code = (
        "import sys; before = {*sys.modules}; import pvtseg; "
        "print(*{name.split('.')[0] for name in {*sys.modules} - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - set(sys.stdlib_module_names) == {"pvtseg"}
