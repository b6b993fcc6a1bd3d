"""Commands run inside this process, and tiny runs that several tests look at."""

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from pvtseg.cli.verbs import main

TASKS = ("segmentation", "depth", "classification")
TINY = [
    "data.train.size=[32,32]", "data.train.length=8", "data.val.length=4", "data.batch_size=2",
    "data.eval_batch_size=2", "data.num_workers=0", "trainer.accelerator=cpu", "trainer.max_steps=2", "logger=[csv]",
]  # fmt: skip


class Outcome(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    output: str
    errors: str

    @property
    def last_line(self) -> str:
        return self.errors.strip().splitlines()[-1]


def run_command(verb: str, *arguments: str) -> Outcome:
    """Runs a verb as `pvtseg VERB ...` would, in this process."""
    output, errors = io.StringIO(), io.StringIO()
    status = 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        patch.setattr(sys, "argv", ["pvtseg", verb, *map(str, arguments)])
        patch.delenv("HYDRA_FULL_ERROR", raising=False)
        try:
            main()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
    os.environ.pop("HYDRA_FULL_ERROR", None)
    return Outcome(status, output.getvalue(), errors.getvalue())


@pytest.fixture(scope="session")
def command():
    return run_command


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    return TINY


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """task -> (the folder of a finished run, its outcome); trained when first asked for."""
    runs = {}

    def train(task: str) -> tuple[Path, Outcome]:
        if task not in runs:
            folder = tmp_path_factory.mktemp("runs") / task
            runs[task] = folder, run_command("train", f"task={task}", *TINY, f"hydra.run.dir={folder}")
        return runs[task]

    return train


def make_photos(root: Path) -> Path:
    """Images and masks in folders, two classes, as data=folder takes them."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for index in range(2):
            image = random.integers(256, size=(40, 48, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / "images" / split / f"{index}.jpg")
            Image.fromarray(image[..., 0] // 128).save(root / "masks" / split / f"{index}.png")
    return root


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder that a test may change."""
    return make_photos(tmp_path / "photos")


@pytest.fixture(scope="session")
def photos_for_all(tmp_path_factory) -> Path:
    """A folder that no test changes."""
    return make_photos(tmp_path_factory.mktemp("photos_for_all") / "photos")
