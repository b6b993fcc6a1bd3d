"""The fused cross-entropy against plain PyTorch: one training step's loss and gradient, time and peak memory.

    uv run python benchmarks/loss.py

Both run in turn in one process, so that whatever else the machine does disturbs both alike, and must agree in value and
gradient. The peak is that of a fresh process for each, less what it held before (Linux only). Writes
benchmarks/results/loss.csv. On a busy machine (load_before beyond 1) believe core_seconds rather than seconds.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from pvtseg.losses.cross_entropy import CrossEntropy

RESULTS = Path(__file__).parent / "results" / "loss.csv"


def plain(logits: Tensor, target: Tensor) -> Tensor:
    """What one writes without this project."""
    fine = F.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(fine, target, ignore_index=255)


LOSSES = {"plain": plain, "fused": CrossEntropy()}


def make_batch(batch: int, classes: int, size: int) -> tuple[Tensor, Tensor]:
    """Logits at a quarter of the image and labels at its size, a twelfth of them ignored, as in ADE20K."""
    torch.manual_seed(0)
    logits = 3 * torch.randn(batch, classes, size // 4, size // 4)
    target = torch.randint(classes, (batch, size, size))
    target[torch.rand(target.shape) < 1 / 12] = 255
    return logits.requires_grad_(), target


def step(name: str, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and its gradient."""
    loss = LOSSES[name](logits, target)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


def check(logits: Tensor, target: Tensor) -> None:
    """Raises an AssertionError unless both give the same, to float32's rounding."""
    (loss, gradient), (fused_loss, fused_gradient) = (step(name, logits, target) for name in LOSSES)
    torch.testing.assert_close(fused_loss, loss)
    torch.testing.assert_close(fused_gradient, gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max()))


def measure(logits: Tensor, target: Tensor, repeats: int) -> dict[str, tuple[float, float]]:
    """Of each loss the median seconds on the clock, and those that all cores together worked; they take turns."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in LOSSES}
    for _ in range(repeats):
        for name, times in seconds.items():
            clock, work = time.perf_counter(), time.process_time()
            step(name, logits, target)
            times.append((time.perf_counter() - clock, time.process_time() - work))
    return {name: tuple(map(statistics.median, zip(*times, strict=True))) for name, times in seconds.items()}


def memory(field: str) -> float:
    """MiB of this process: VmRSS, what it holds now, or VmHWM, the most it ever held."""
    return int(re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


def peak_here(name: str, shape: tuple[int, int, int]) -> float:
    """MiB that one step takes beyond its inputs and the libraries, which a small step has loaded before."""
    step(name, *make_batch(1, 4, 32))
    logits, target = make_batch(*shape)
    before = memory("VmRSS")
    step(name, logits, target)
    return memory("VmHWM") - before


def peak_mebibytes(name: str, shape: tuple[int, int, int]) -> float:
    """`peak_here`, in a process of its own."""
    options = ["--batch", "--classes", "--size"]
    sizes = [word for option, value in zip(options, shape, strict=True) for word in (option, str(value))]
    command = [sys.executable, __file__, *sizes, "--peak-of", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def processor() -> str:
    """The name of the CPU, as far as the system tells."""
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def main() -> None:
    """Checks, measures, prints a table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--size", type=int, default=512, help="of the image; the logits have a quarter of it")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--peak-of", choices=LOSSES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    shape = (options.batch, options.classes, options.size)
    if options.peak_of:
        print(peak_here(options.peak_of, shape))
        return

    torch.set_num_threads(options.threads)
    logits, target = make_batch(*shape)
    check(logits, target)
    load = os.getloadavg()[0]
    seconds = measure(logits, target, options.repeats)
    peaks = {name: peak_mebibytes(name, shape) for name in LOSSES}
    rows = [
        {
            "loss": name,
            "batch": options.batch,
            "classes": options.classes,
            "size": options.size,
            "seconds": round(seconds[name][0], 3),
            "times_faster": round(seconds["plain"][0] / seconds[name][0], 2),
            "core_seconds": round(seconds[name][1], 3),
            "peak_mib": round(peaks[name]),
            "times_less_memory": round(peaks["plain"] / peaks[name], 2),
            "machine": f"{processor()}, {torch.get_num_threads()} threads",
            "load_before": round(load, 1),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "command": " ".join(["python benchmarks/loss.py", *sys.argv[1:]]),
        }
        for name in LOSSES
    ]
    for row in rows:
        print(
            f"{row['loss']:6} {row['seconds']:8.3f} s  ({row['times_faster']:.2f} times as fast, {row['core_seconds']} s of work)"
            f"  {row['peak_mib']:6} MiB  ({row['times_less_memory']:.2f} times less)"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
