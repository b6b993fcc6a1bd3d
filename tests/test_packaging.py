"""The wheel is all that a user needs: it carries the configurations and trains outside
of the checkout.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel, as an installation would lay it out."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (wheel,) = folder.glob("pvtseg-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_carries_every_configuration(site: Path) -> None:
    inside = {path.relative_to(site / "pvtseg" / "configs") for path in (site / "pvtseg" / "configs").rglob("*.yaml")}
    assert inside == {path.relative_to(ROOT / "configs") for path in (ROOT / "configs").rglob("*.yaml")}


def test_the_wheel_is_typed_and_tells_its_version(site: Path) -> None:
    assert (site / "pvtseg" / "py.typed").is_file()
    code = "import pvtseg; print(pvtseg.__file__, pvtseg.__version__)"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=site, env=environment, capture_output=True, text=True, check=True
    )
    (info,) = site.glob("pvtseg-*.dist-info")
    assert done.stdout.split() == [
        str(site / "pvtseg" / "__init__.py"),
        info.name.removeprefix("pvtseg-").removesuffix(".dist-info"),
    ]


def test_the_wheel_trains_a_step_outside_the_checkout(site: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pvtseg", "train", "task=segmentation", "trainer.max_steps=1", "hydra.run.dir=run"]
    small = [
        "data.train.size=[32,32]",
        "data.train.length=2",
        "data.val.length=2",
        "data.batch_size=2",
        "data.num_workers=0",
    ]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([*command, *small], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 <= metrics["metrics"]["mIoU"] <= 1
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_the_installed_command_lists_its_verbs(site: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "pvtseg"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "train" in done.stdout
    assert "eval" in done.stdout
