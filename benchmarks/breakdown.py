"""Where the time of a forward pass goes: milliseconds by kind of operation, beside what
all multiply-adds must take.

    uv run python benchmarks/breakdown.py

"at the speed of a large product" is the time of all multiply-adds at the speed of one
product of 4096 x 4096 matrices. Float32 on the CPU; the profiler itself adds a few
percent. Writes benchmarks/results/breakdown.csv.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import peers
import torch
from contest import Setting
from encoder import SIDE, matrix_product
from reporting import Row, console, facts, rounded, write
from rich.table import Table
from torch import nn
from torch.profiler import profile

from pvtseg.cli.measuring import time_in_turn
from pvtseg.model import count_multiply_adds

CPU = torch.device("cpu")
REPEATS = 7
KINDS = {
    "aten::addmm": "linear layers",
    "aten::mm": "linear layers",
    "aten::gelu": "GELU",
    "aten::_scaled_dot_product_flash_attention_for_cpu": "attention",
    "aten::native_layer_norm": "norms",
    "aten::add": "residuals",
    "aten::add_": "residuals",
    "aten::copy_": "copies",
}
BOUND = "multiply-adds at the speed of a large product"


def works() -> Iterator[tuple[str, nn.Module, tuple[int, ...]]]:
    """Title, a model or an encoder, the shape of its images."""
    for name, batch, side in (("pvt_v2_b0", 1, 512), ("pvt_v2_b2", 1, 512), ("pvt_v2_b2", 8, 224)):
        yield f"{name}, {batch} x {side} x {side}", peers.encoder(name), (batch, 3, side, side)
    for size in ("b0", "b4"):
        yield f"GLPN {size}, 1 x 480 x 640", peers.glpn(size), (1, 3, 480, 640)


def kind(event: Any) -> str:
    """What an operation of the profile is, in the words of the paper."""
    if "convolution" in event.key or "conv2d" in event.key:
        weight = event.input_shapes[1]
        return "depth-wise convolutions" if len(weight) == 4 and weight[1] == 1 else "other convolutions"
    return KINDS.get(event.key, "everything else")


def milliseconds(model: nn.Module, image: torch.Tensor) -> dict[str, float]:
    """Of each kind, the median over some passes."""
    passes: list[dict[str, float]] = []
    for _ in range(REPEATS):
        with profile(record_shapes=True) as profiled:
            model(image)
        found: dict[str, float] = defaultdict(float)
        for event in profiled.key_averages(group_by_input_shape=True):
            found[kind(event)] += event.self_cpu_time_total / 1000
        passes.append(found)
    kinds = dict.fromkeys(name for found in passes for name in found)
    return {name: statistics.median(found.get(name, 0.0) for found in passes) for name in kinds}


def speed_of_a_large_product() -> float:
    """Multiply-adds a millisecond."""
    product = matrix_product(Setting(CPU, torch.float32, compiled=False))
    timing = time_in_turn({"product": lambda: product(None)}, CPU, seconds=0, fewest=REPEATS)["product"]
    return SIDE**3 / timing.median / 1000


@torch.inference_mode()
def main() -> None:
    rows: list[Row] = []
    speed = speed_of_a_large_product()
    for title, model, shape in works():
        model, image = model.eval(), torch.randn(shape)
        for _ in range(3):
            model(image)
        found = milliseconds(model, image)
        total = sum(found.values())
        found = dict(sorted(found.items(), key=lambda item: -item[1]))
        found[BOUND] = shape[0] * count_multiply_adds(model, shape[2:]) / speed
        table = Table("", "ms", "fraction", title=f"{title}, {total:.0f} ms", title_justify="left")
        for name, spent in found.items():
            table.add_row(name, f"{spent:.1f}", f"{spent / total:.0%}")
            rows.append(
                {"work": title, "kind": name, "ms": rounded(spent), "fraction": rounded(spent / total), **facts(CPU)}
            )
        console.print(table)
    write("breakdown", rows)


if __name__ == "__main__":
    main()
