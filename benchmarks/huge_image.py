"""A 4096 x 4096 image with 150 classes, predicted in sliding windows: the memory that it takes beyond the process at rest.

    uv run python benchmarks/huge_image.py

At rest means: the libraries and the model are loaded and have answered once, for a small image. The peak is the one that Linux
reports for the process, VmHWM, and includes the image and the labels. Runs in a child process, so that nothing else counts.
Writes benchmarks/results/huge_image.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

import pvtseg
from pvtseg.data.module import Normalize
from pvtseg.data.transforms.evaluation import Original
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.inference.sliding_window import SlidingWindow
from pvtseg.model import DenseModel
from pvtseg.predictor import Predictor, labels

RESULTS = Path(__file__).parent / "results" / "huge_image.csv"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_predictor(classes: int, window: int, stride: int) -> Predictor:
    """SegFormer's head on B0, with fresh weights: what it answers is nonsense, what it takes is not."""
    torch.manual_seed(0)
    backbone = pvtseg.pvt_v2_b0()
    model = DenseModel(backbone, SegFormerHead(backbone.channels, classes))
    inference = SlidingWindow(window, stride=stride, batch_size=1)
    return Predictor(model, labels, inference=inference, transform=Original(), normalize=Normalize(MEAN, STD))


def memory(field: str) -> float:
    """MiB of this process: VmRSS, what it holds now, or VmHWM, the most it ever held."""
    return int(re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


def predict_here(side: int, classes: int, window: int, stride: int) -> tuple[float, float, float]:
    """MiB at rest, MiB at the peak, seconds."""
    predictor = make_predictor(classes, window, stride)
    predictor(np.zeros((window, window, 3), np.uint8))
    at_rest = memory("VmRSS")
    begin = time.perf_counter()
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    answer = predictor(image)
    seconds = time.perf_counter() - begin
    if answer.shape != (side, side) or not 0 <= answer.min() <= answer.max() < classes:
        raise AssertionError(f"labels {answer.shape} from {answer.min()} to {answer.max()} are no prediction of {side} x {side}")
    return at_rest, memory("VmHWM"), seconds


def predict_in_a_child(shape: tuple[int, ...]) -> tuple[float, float, float]:
    """`predict_here`, in a process of its own."""
    command = [sys.executable, __file__, "--child", *map(str, shape)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(map(float, output.split()))


def main() -> None:
    """Measures, prints a line and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--stride", type=int, default=512)
    parser.add_argument("--child", type=int, nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(*predict_here(*options.child))
        return

    load = os.getloadavg()[0]
    shape = options.side, options.classes, options.window, options.stride
    at_rest, peak, seconds = predict_in_a_child(shape)
    row = {
        "side": options.side,
        "classes": options.classes,
        "window": options.window,
        "stride": options.stride,
        "at_rest_mib": round(at_rest),
        "peak_mib": round(peak),
        "above_rest_mib": round(peak - at_rest),
        "all_scores_mib": round(options.side**2 * options.classes * 4 / 2**20),
        "seconds": round(seconds, 1),
        "load_before": round(load, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "command": " ".join(["python benchmarks/huge_image.py", *sys.argv[1:]]),
    }
    print(
        f"{row['side']} x {row['side']}, {row['classes']} classes: {row['above_rest_mib']} MiB above the process at rest "
        f"({row['at_rest_mib']} MiB), {row['seconds']} s; all class scores would take {row['all_scores_mib']} MiB"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
