"""What all tests share: photos, other people's data where it is present, and the rule
for skipped tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

os.environ.pop("UV_RUN_RECURSION_DEPTH", None)  # under uv, printed commands begin with `uv run`
# Threads that spin while they wait take the processor from each other, and on two busy
# cores a tiny test then takes seconds. torch reads this when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one worker per core, so one thread per worker

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "tests/photos"
SHARED = Path(os.environ.get("PVTSEG_SHARED_DATA", ROOT.parent / "shared/data"))
NO_SHARED_DATA = "needs ../shared/data"
# With CI set, a test that is skipped for another reason fails the run.
ALLOWED_SKIPS = (NO_SHARED_DATA, "needs a GPU", "this system cannot fork", "Linux alone tells")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips tests marked `needs_shared` where the data is absent; `-rs` in
    pyproject.toml lists them.
    """
    if item.get_closest_marker("needs_shared") and not SHARED.is_dir():
        pytest.skip(NO_SHARED_DATA)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run in CI that skipped a test for a reason that is not in ALLOWED_SKIPS."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    unexpected = [report for report in reporter.stats.get("skipped", []) if not _is_allowed(report.longrepr)]
    for report in unexpected:
        reporter.write_line(
            f"\nUnexpected skip of {report.nodeid}; make it run, or add its reason to tests/conftest.py."
        )
    if unexpected and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_allowed(skip: object) -> bool:
    """Whether a report's (file, line, reason) names an allowed reason."""
    return isinstance(skip, (tuple, list)) and any(reason in skip[2] for reason in ALLOWED_SKIPS)


@pytest.fixture
def as_a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trace of HYDRA_FULL_ERROR: a command that is run in this process sets it."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # so that the end of the test removes it again
    monkeypatch.delenv("HYDRA_FULL_ERROR")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test keeps between runs stays out of the user's cache."""
    monkeypatch.setenv("PVTSEG_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of other people's data. A test that uses it is marked `needs_shared`."""
    return SHARED


@pytest.fixture(scope="session")
def rendered() -> Path:
    """The folder of two rendered photos in the layout of data=folder: images, masks, depth."""
    return PHOTOS


@pytest.fixture(
    params=[
        pytest.param(PHOTOS / "images/train", id="rendered 320x240"),
        pytest.param(SHARED / "camvid/images/val", id="street 480x360", marks=pytest.mark.needs_shared),
        pytest.param(SHARED / "indoor_rgbd/images/val", id="room 640x480", marks=pytest.mark.needs_shared),
    ]
)
def photo(request: pytest.FixtureRequest) -> Image.Image:
    """A rendered photo everywhere, and two real ones where other people's data is present."""
    return Image.open(min(request.param.iterdir())).convert("RGB")
