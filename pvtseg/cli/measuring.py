"""The time and memory of a piece of work, on a CPU or a GPU."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

Work = Callable[[], object]

FEWEST, MOST = 5, 101  # repeats
PROCESS = Path("/proc/self")


@dataclass
class Timing:
    """A piece of work, done again and again: seconds on the clock, and those that all
    cores together worked.
    """

    seconds: list[float] = field(default_factory=list)
    core_seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def median_core_seconds(self) -> float:
        return statistics.median(self.core_seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Half of the repeats took between these two."""
        lower, _, upper = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return lower, upper


def time_in_turn(
    works: Mapping[str, Work], device: torch.device, *, seconds: float, fewest: int = FEWEST
) -> dict[str, Timing]:
    """Runs every function once per round, for about `seconds` in total, so that a
    disturbance affects all of them.

    Run each once before. At least `fewest` rounds, at most MOST.
    """
    timings = {name: Timing() for name in works}
    begin = time.perf_counter()
    for repeat in range(MOST):
        if repeat >= fewest and time.perf_counter() - begin > seconds:
            break
        for name, work in works.items():
            synchronize(device)
            clock, cores = time.perf_counter(), time.process_time()
            work()
            synchronize(device)
            timings[name].seconds.append(time.perf_counter() - clock)
            timings[name].core_seconds.append(time.process_time() - cores)
    return timings


def peak_memory(work: Work, device: torch.device) -> float | None:
    """MiB that the work takes at its peak beyond what is held before; None where the
    system does not tell.

    On a GPU it is the peak of what torch allocates. On a CPU it is the peak of this
    process; only Linux can reset that counter. Run the work once before, or loading
    libraries counts too.
    """
    gc.collect()
    if device.type == "cuda":
        synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    try:
        _give_back_freed_memory()
        (PROCESS / "clear_refs").write_text("5")  # resets VmHWM
    except OSError:
        return None
    before = _memory("VmRSS")
    work()
    return _memory("VmHWM") - before


def synchronize(device: torch.device) -> None:
    """Waits for a GPU, which works on by itself."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: torch.device) -> str:
    """The GPU, or the processor and how many threads work on it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    known = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", known.read_text()) if known.is_file() else None
    return f"{found[1] if found else platform.machine()}, {torch.get_num_threads()} threads"


def _memory(name: str) -> float:
    """MiB of this process: VmRSS, what it holds now, or VmHWM, the most it has held."""
    found = re.search(rf"{name}:\s+(\d+) kB", (PROCESS / "status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def _give_back_freed_memory() -> None:
    """Returns glibc's freed memory to the system, because work that reuses it would
    seem to need none.
    """
    with contextlib.suppress(AttributeError, OSError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
