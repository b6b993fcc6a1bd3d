"""No test is skipped in silence: the rules of conftest.py, tried on small suites of
their own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
PYPROJECT = CONFTEST.parents[1] / "pyproject.toml"
NEEDS_SHARED = "import pytest\n@pytest.mark.needs_shared\ndef test_photo(shared): assert shared.is_dir()\n"
UNEXPECTED = "import pytest\ndef test_optional(): pytest.importorskip('no_such_package')\n"
SKIPPED_FILE = "import pytest\npytest.importorskip('no_such_package')\n"


@pytest.fixture
def run(tmp_path):
    """run(test file, **environment) -> the finished pytest process of a suite with our
    conftest and options.
    """
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.read_text())
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/conftest.py").write_text(CONFTEST.read_text())

    def pytest_on(text, *options, **environment):
        (tmp_path / "tests/test_it.py").write_text(text)
        plain = {
            key: value for key, value in os.environ.items() if not key.startswith(("CI", "PYTEST", "COV", "PVTSEG"))
        }
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
        return subprocess.run(command, cwd=tmp_path, env={**plain, **environment}, capture_output=True, text=True)

    return pytest_on


def test_a_test_that_needs_shared_data_is_listed_where_the_data_is_absent(run, tmp_path):
    done = run(NEEDS_SHARED, CI="true", PVTSEG_SHARED_DATA=str(tmp_path / "nowhere"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED [1] tests/conftest.py" in done.stdout
    assert "needs ../shared/data" in done.stdout


def test_a_test_that_needs_shared_data_runs_where_the_data_is_present(run, tmp_path):
    done = run(NEEDS_SHARED, "-rA", PVTSEG_SHARED_DATA=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED tests/test_it.py::test_photo" in done.stdout


@pytest.mark.parametrize("options", [[], ["-n1"]], ids=["one process", "xdist"])
@pytest.mark.parametrize("suite", [UNEXPECTED, SKIPPED_FILE + UNEXPECTED], ids=["test", "file"])
def test_a_skip_for_any_other_reason_fails_the_run_in_ci(run, suite, options):
    done = run(suite, *options, CI="true")
    assert done.returncode != 0, done.stdout + done.stderr
    assert "Unexpected skip of tests/test_it.py" in done.stdout


def test_outside_ci_a_skip_is_listed_and_does_not_fail_the_run(run):
    done = run(UNEXPECTED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "could not import 'no_such_package'" in done.stdout
