"""What all tests share."""

import os

import pytest

# Threads that spin while they wait take the processor from each other: on two busy cores a tiny test takes seconds.
# Has to be said before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


@pytest.fixture
def as_a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command run in this process does not find what an earlier one has set."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # so that what the command sets is taken back at the end
    monkeypatch.delenv("HYDRA_FULL_ERROR")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test keeps between runs stays out of the user's cache."""
    monkeypatch.setenv("PVTSEG_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
