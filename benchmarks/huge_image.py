"""A 4096 x 4096 image with 150 classes, predicted in sliding windows: the memory that
it takes beyond the process at rest.

    uv run python benchmarks/huge_image.py

At rest means: the libraries and the model are loaded and have run once, on a small
image. The peak includes the image and the labels. Writes
benchmarks/results/huge_image.csv.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import torch
from reporting import console, facts, write

import pvtseg
from pvtseg.cli.measuring import peak_memory
from pvtseg.data.normalize import Normalize
from pvtseg.data.transforms.evaluation import Original
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.inference.sliding_window import SlidingWindow
from pvtseg.model import Model
from pvtseg.predictor import Predictor
from pvtseg.tasks.segmentation import SegmentationPostProcess, SegmentationVisualizer

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_predictor(classes: int, window: int, stride: int) -> Predictor:
    """SegFormer's head on B0, with random weights: the prediction is meaningless, its
    time and memory are not.
    """
    torch.manual_seed(0)
    backbone = pvtseg.pvt_v2_b0()
    model = Model(backbone, SegFormerHead(backbone.channels, classes))
    inference = SlidingWindow(window, stride=stride, batch_size=1)
    return Predictor(
        model,
        inference=inference,
        postprocess=SegmentationPostProcess(),
        transform=Original(),
        normalize=Normalize(MEAN, STD),
        visualizer=SegmentationVisualizer([], []),
    )


def predict(predictor: Predictor, side: int, classes: int) -> None:
    """Predicts a made image, and checks the prediction."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    labels = predictor(image)
    if labels.shape != (side, side) or not 0 <= labels.min() <= labels.max() < classes:
        raise AssertionError(
            f"labels {labels.shape} from {labels.min()} to {labels.max()} are no prediction of {side} x {side}"
        )


def main() -> None:
    """Measures, prints a line and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--stride", type=int, default=512)
    options = parser.parse_args()

    load = os.getloadavg()[0]
    predictor = make_predictor(options.classes, options.window, options.stride)
    predictor(np.zeros((options.window, options.window, 3), np.uint8))
    begin = time.perf_counter()
    peak = peak_memory(lambda: predict(predictor, options.side, options.classes), torch.device("cpu"))
    if peak is None:
        raise SystemExit("this system does not tell how much memory a process takes at its peak; run it on Linux")
    seconds = time.perf_counter() - begin
    row = {
        "side": options.side,
        "classes": options.classes,
        "window": options.window,
        "stride": options.stride,
        "above_rest_mib": round(peak),
        "all_scores_mib": round(options.side**2 * options.classes * 4 / 2**20),
        "seconds": round(seconds, 1),
        "load_before": round(load, 1),
        **facts(torch.device("cpu")),
    }
    console.print(
        f"{options.side} x {options.side}, {options.classes} classes: {row['above_rest_mib']} MiB above the process "
        f"at rest, {row['seconds']} s; all class scores would take {row['all_scores_mib']} MiB"
    )
    write("huge_image", [row])


if __name__ == "__main__":
    main()
