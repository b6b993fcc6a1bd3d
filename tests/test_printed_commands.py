"""Every command that README, docs and configuration files print runs as printed, in a
process of its own.

Placeholders (FOLDER, SOURCE, RUN) stand for made data, `uv run` for the interpreter of
the tests, and overrides at the end shorten the run (`printed.shorter`). Names on the
Hugging Face hub are found in a made cache, with random weights. `python` and `pvtseg`
start in a folder that holds train.py, eval.py and benchmarks/ as a checkout does, and
logs/ of a run. Of the experiments one per family and data set runs so; the others
compose here and train in tests/cli/test_every_experiment.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from made import (
    make_ade20k,
    make_camvid,
    make_digits,
    make_imagenet_archives,
    make_indoor_rgbd,
    make_nyu_depth,
    make_nyu_depth_labelled,
    noise,
    write,
)
from printed import ROOT, Command, arguments, commands, python_blocks
from short_runs import SCENES, TWO_STEPS

from pvtseg.backbones.pvt_v2 import mit_b0, mit_b2, pvt_v2_b0, pvt_v2_b2
from pvtseg.build import compose
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.linear import LinearHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.load import save_model
from pvtseg.model import Model

INSTALLS = "installs packages"
TESTS = "runs tests of this suite"
NOT_RUN = {
    "python3 -m pip install uv": INSTALLS,
    "pip install .": INSTALLS,
    "pip install 'pvtseg[nyu]'": INSTALLS,
    "uv run pytest": TESTS,
    'uv run pytest tests/checkpoints -m "slow or not slow"': TESTS,
    "uv run pytest tests/test_predictor.py": TESTS,
    "uv run pytest tests/checkpoints/test_round_trips.py": TESTS,
    "pvtseg download data=ade20k": "fetches 900 MB; tests/data/test_download.py runs the verb on a local server",
    "pvtseg download data=nyu_depth_labelled": "fetches 2.8 GB",
    "python train.py compile=true trainer.precision=bf16-mixed": "compiles for minutes; tests/test_compile.py does it",
    "pvtseg benchmark task=segmentation backbone=b2 data=ade20k device=cuda dtype=bfloat16 compile=true": "needs a GPU",
    "python benchmarks/huge_image.py": "takes minutes and 1.5 GiB",
    "python tests/checkpoints/openmmlab_oracle.py compare FOLDER": "reads what OpenMMLab wrote, elsewhere",
    "python train.py logger=[csv,wandb]": "needs the package wandb and an account",
}
COMMANDS = commands()
ON_THE_COMMAND_LINE = ("segformer_b2_ade20k", "glpn_b0_nyu_depth", "pvt_v2_b0_imagenet",
                       "semantic_fpn_pvt_v2_b0_ade20k", "b0_camvid", "b0_indoor_rgbd", "b0_digits")  # fmt: skip
COMPOSED = [
    each for each in COMMANDS if each.value("experiment") and each.value("experiment") not in ON_THE_COMMAND_LINE
]
RUN = [each for each in COMMANDS if each.text not in NOT_RUN and each not in COMPOSED]
TIMEOUT = 600  # seconds

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/ as PVTSEG_DATA, folders/ of a user's own, hub/ as the hub's cache,
    runs/TASK as finished runs.

    Made once, by the first of several processes that run tests.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "printed"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            _make(folder)
            (folder / "complete").touch()
    return folder


def _make(folder: Path) -> None:
    make_ade20k(folder / "data" / "ADEChallengeData2016")
    make_nyu_depth(folder / "data" / "nyu_depth_v2", train=2, val=1)
    make_nyu_depth_labelled(folder / "data" / "nyu_depth_v2")
    make_imagenet_archives(folder / "data" / "imagenet", num_classes=1000, images=1, val=10)
    for recipe, make in {"camvid": make_camvid, "indoor_rgbd": make_indoor_rgbd, "digits": make_digits}.items():
        make(folder / "folders" / recipe)
    _make_own_folders(folder / "folders")
    _make_hub(folder / "hub")
    first = [[sys.executable, "train.py", f"task={task}", *TWO_STEPS, *SCENES, f"hydra.run.dir={folder}/runs/{task}"]
             for task in ("segmentation", "depth")]  # fmt: skip
    names = "data.labels.names=[road,car]"  # loss.class_weights=auto reads what this counts
    root = f"data.root={folder}/folders/segmentation_2"
    first.append([sys.executable, "-m", "pvtseg", "verify", "data=folder", "task=segmentation", root, names])
    checkouts = [_checkout(folder / "first" / str(number), folder) for number in range(len(first))]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for done in pool.map(_run, first, checkouts, [folder] * len(first)):
            assert done.returncode == 0, done.stdout + done.stderr


def _make_own_folders(folder: Path) -> None:
    """Images with masks of two and of three classes, with depth maps, and in class folders."""
    random = np.random.default_rng(0)
    for split, number in (("train", 8), ("val", 2)):
        for index in range(number):
            seed = index + 100 * (split == "val")
            image = noise(seed, 48, 64)
            for name, num_classes in (("segmentation", 13), ("segmentation_2", 2), ("segmentation_3", 3)):
                write(folder / name / "images" / split / f"{index}.png", image)
                mask = random.integers(num_classes, size=(48, 64), dtype=np.uint8)
                write(folder / name / "masks" / split / f"{index}.png", mask)
            write(folder / "depth" / "images" / split / f"{index}.png", image)
            write(
                folder / "depth" / "depth" / split / f"{index}.png",
                random.integers(500, 9000, (48, 64)).astype(np.uint16),
            )
            for kind in ("cat", "dog"):
                write(
                    folder / "classification" / split / kind / f"{index}.png",
                    noise(seed + 1000 * len(kind + split), 48, 64),
                )


def _make_hub(folder: Path) -> None:
    """The published names that the documentation uses, small where their size does not
    matter.
    """
    encoders = {"OpenGVLab/pvt_v2_b0": pvt_v2_b0, "OpenGVLab/pvt_v2_b2": pvt_v2_b2, "nvidia/mit-b2": mit_b2}
    for name, encoder in encoders.items():
        _publish(folder, name, encoder(), lambda channels: LinearHead(channels, 1000), "huggingface")
    _publish(folder, "timm/pvt_v2_b2.in1k", pvt_v2_b2(), lambda channels: LinearHead(channels, 1000), "timm")
    segformer = "nvidia/segformer-b0-finetuned-ade-512-512"
    _publish(folder, segformer, mit_b0(), lambda channels: SegFormerHead(channels, 150), "huggingface")
    _publish(folder, "vinvino02/glpn-nyu", mit_b0(), lambda channels: GLPNHead(channels, max_depth=10.0), "huggingface")


def _publish(folder: Path, name: str, backbone, make_head: Callable, layout: str) -> None:
    repository = folder / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    save_model(Model(backbone, make_head(backbone.channels)), repository / "snapshots" / ("0" * 40), layout=layout)


def _checkout(folder: Path, made: Path) -> Path:
    """A working folder with what a command line names: the scripts, the benchmarks, a
    run in logs/, a picture.
    """
    folder.mkdir(parents=True)
    for name in ("train.py", "eval.py", "benchmarks", "tests"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "logs" / "segmentation").mkdir(parents=True)
    (folder / "logs" / "segmentation" / "RUN").symlink_to(made / "runs" / "segmentation")
    write(folder / "room.jpg", noise(7, 60, 80))
    return folder


def _run(words: list[str], folder: Path, made: Path) -> Done:
    environment = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}
    environment |= {
        "PYTHONPATH": str(ROOT), "PVTSEG_DATA": str(made / "data"), "PVTSEG_CACHE": str(made / "cache"),
        "HF_HUB_CACHE": str(made / "hub"), "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


@pytest.mark.parametrize("command", RUN, ids=lambda command: command.text)
def test_a_printed_command_runs_as_printed(made: Path, tmp_path: Path, command: Command) -> None:
    done = _run(arguments(command, made), _checkout(tmp_path / "checkout", made), made)
    assert done.returncode == 0, f"{command.place}: {command.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMPOSED, ids=lambda command: command.value("experiment"))
def test_the_printed_command_of_an_experiment_composes(command: Command) -> None:
    assert command.words[:2] == ["python", "train.py"]
    assert compose(*(word.replace("FOLDER", "/somewhere") for word in command.words[2:]))


@pytest.mark.parametrize(("block", "place"), python_blocks(), ids=lambda value: value if value.endswith(".md") else "")
def test_a_printed_python_block_runs_as_printed(made: Path, tmp_path: Path, block: str, place: str) -> None:
    done = _run(
        [sys.executable, "-c", block.replace("RUN", "logs/segmentation/RUN")], _checkout(tmp_path / "work", made), made
    )
    assert done.returncode == 0, f"{place}:\n{done.stderr[-3000:]}"


def test_what_is_not_run_is_printed_somewhere_and_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    texts = {each.text for each in COMMANDS}
    assert [text for text in NOT_RUN if text not in texts] == []
    with capsys.disabled():
        print(f"\n{len(RUN)} printed commands run, {len(COMPOSED)} compose, {len(NOT_RUN)} do neither:")
        for text, reason in NOT_RUN.items():
            print(f"  {text}: {reason}")


def test_every_experiment_prints_its_command() -> None:
    names = {path.stem for path in (ROOT / "configs" / "experiment").glob("[!_]*.yaml")}
    assert {each.value("experiment") for each in COMMANDS} - {None} == names
