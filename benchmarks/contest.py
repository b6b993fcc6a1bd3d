"""What the benchmarks share: several libraries do the same work in turn, and a table
says how long each took.

They have to agree first. Then each gets a process of its own, as a user of that library
alone would have it, since what one library makes the C library's memory do changes the
speed of the others by a third; and they take turns, so that whatever else the machine
does disturbs them alike. The processes are restarted a few times, for one can be
lucky with where its memory lies. A peak of memory is what the work takes beyond
libraries, model and a first small piece of work.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from reporting import OURS, Row, console, draw_bars, facts, print_table, rounded, version, write
from torch import Tensor

from pvtseg.cli.measuring import Timing, peak_memory, time_in_turn

FEWEST, MOST = 3, 51  # repeats, at least in all and at most in one process; a training step takes seconds


class Setting(NamedTuple):
    """What a contest is held on."""

    device: torch.device
    dtype: torch.dtype
    compiled: bool

    def place(self, module: Any) -> Any:
        """A module or a tensor, where the contest is held."""
        return module.to(self.device, self.dtype)

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, compiled if everything is."""
        return torch.compile(function) if self.compiled else function


@dataclass(frozen=True)
class Contest:
    """One piece of work.

    contestants: name -> what makes it ready and returns the function that does the
    work; ours first. inputs, small: what that function is called with, in earnest and
    to warm up. agree: raises an AssertionError unless our answer and another's are the
    same, and returns in words how near they are. goals: by which factor we want to be
    faster; memory_goals the same for memory, which is measured where there are any.
    scale: of a contestant that does another amount of work, what its time is multiplied
    by. units: the pixels or images of one piece of work.
    """

    title: str
    contestants: Mapping[str, Callable[[Setting], Callable[..., Any]]]
    inputs: Callable[[Setting], tuple[Any, ...]]
    small: Callable[[Setting], tuple[Any, ...]]
    agree: Callable[[Any, Any], str]
    goals: Mapping[str, float] = field(default_factory=dict)
    memory_goals: Mapping[str, float] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    units: int = 1


def hold(name: str, contests: Sequence[Contest], description: str | None, *, threads: int | None = None) -> list[Row]:
    """The command line of a benchmark: holds the contests, prints tables, writes
    results/NAME.csv and .png. Returns the rows.

    threads: how many unless the command line says otherwise; None for torch's own
    choice.
    """
    options = _options(description, threads or torch.get_num_threads())
    torch.set_num_threads(options.threads)
    setting = Setting(torch.device(options.device), getattr(torch, options.dtype), options.compile)
    if options.serve:
        title, contestant = options.serve
        _serve(next(contest for contest in contests if contest.title == title), contestant, setting)
        return []
    if options.peak_of:
        title, contestant = options.peak_of
        print(_peak_here(next(contest for contest in contests if contest.title == title), contestant, setting))
        return []
    load = os.getloadavg()[0]
    rows = []
    for contest in contests:
        if re.search(options.only, contest.title):
            rows += _result(contest, setting, options.seconds, options.processes, load)
            print_table(rows[-len(contest.contestants) :])
    if options.only:
        console.print("a part of the contests is not written")
    else:
        name = _name(name, setting)
        write(name, rows)
        draw_bars(name, rows)
    return rows


def largest_difference(ours: Sequence[Tensor], theirs: Sequence[Tensor], *, bound: float) -> str:
    """Compares tensors one by one. Raises an AssertionError where one differs by more
    than `bound` of its largest value.
    """
    worst = 0.0
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape, f"{tuple(our.shape)} is not {tuple(their.shape)}"
        worst = max(worst, float((our - their).abs().max() / their.abs().max()))
    assert worst <= bound, f"they differ by {worst:.1e} of the largest value; up to {bound:.0e} is rounding"
    return f"within {worst:.0e}"


def same_labels(ours: Tensor, theirs: Tensor, *, fraction: float) -> str:
    """Compares labels. Raises an AssertionError where less than `fraction` of the pixels
    have the same.
    """
    same = float((ours == theirs).double().mean())
    assert same >= fraction, f"{same:.3%} of the labels are the same; expected {fraction:.3%}"
    return f"{same:.4%} of labels"


def rounding(dtype: torch.dtype) -> float:
    """The fraction of the largest value that two orders of summation may differ by."""
    return 1e-3 if dtype == torch.float32 else 0.1


def _name(name: str, setting: Setting) -> str:
    """Of the results: the plain name is for a CPU with float32."""
    parts = [name]
    parts += ["cuda"] if setting.device.type == "cuda" else []
    parts += [str(setting.dtype).removeprefix("torch.")] if setting.dtype != torch.float32 else []
    parts += ["compiled"] if setting.compiled else []
    return "_".join(parts)


def _options(description: str | None, threads: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true", help="everything by torch.compile, the peers too")
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument("--seconds", type=float, default=15, help="to repeat each contest for, at least three times")
    parser.add_argument(
        "--processes", type=int, default=3, help="how often each contestant is restarted within that time"
    )
    parser.add_argument(
        "--only", default="", help="those contests whose title this regular expression finds; nothing is written"
    )
    parser.add_argument("--peak-of", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def _result(contest: Contest, setting: Setting, seconds: float, processes: int, load: float) -> list[Row]:
    """A row for each contestant, ours first."""
    inputs = contest.inputs(setting)
    works = {name: partial(build(setting), *inputs) for name, build in contest.contestants.items()}
    answers = {name: work() for name, work in works.items()}
    ours = answers[OURS]
    agreement = {name: "" if name == OURS else contest.agree(ours, answer) for name, answer in answers.items()}
    del answers, ours, works
    timings = {name: Timing() for name in contest.contestants}
    for _ in range(processes):
        _time_in_turn(contest, timings, seconds / processes, fewest=-(-FEWEST // processes))
    peaks = {name: _peak_in_a_child(contest.title, name) if contest.memory_goals else None for name in timings}

    def ratio(name: str) -> float:
        return contest.scale.get(name, 1) * timings[name].median / timings[OURS].median

    return [
        {
            "work": contest.title,
            "contestant": name,
            "version": version(name),
            "seconds": rounded(contest.scale.get(name, 1) * timing.median),
            "lower_quartile": rounded(contest.scale.get(name, 1) * timing.quartiles[0]),
            "upper_quartile": rounded(contest.scale.get(name, 1) * timing.quartiles[1]),
            "core_seconds": rounded(contest.scale.get(name, 1) * timing.median_core_seconds),
            "units_per_second": rounded(contest.units / timing.median / contest.scale.get(name, 1)),
            "units_per_core_second": rounded(contest.units / timing.median_core_seconds / contest.scale.get(name, 1)),
            "repeats": len(timing.seconds),
            "ratio": round(ratio(name), 3),
            "goal": contest.goals.get(name, ""),
            "agrees": agreement[name],
            "peak_mib": "" if peaks[name] is None else round(peaks[name]),
            "memory_ratio": "" if peaks[name] is None else round(peaks[name] / peaks[OURS], 2),
            "memory_goal": contest.memory_goals.get(name, ""),
            "dtype": str(setting.dtype).removeprefix("torch."),
            "compiled": setting.compiled,
            "load_before": round(load, 1),
            **facts(setting.device),
        }
        for name, timing in timings.items()
    ]


def _time_in_turn(contest: Contest, timings: dict[str, Timing], seconds: float, *, fewest: int) -> None:
    """Rounds in which every contestant works once, for about so many seconds, added to
    the timings.
    """
    servers = {name: _start(contest.title, name) for name in contest.contestants}
    for server in servers.values():
        _ask(server)  # each is ready, and has worked once
    begin = time.perf_counter()
    rounds = 0
    while rounds < fewest or (time.perf_counter() - begin < seconds and rounds < MOST):
        rounds += 1
        for name, server in servers.items():
            clock, cores = _ask(server)
            timings[name].seconds.append(clock)
            timings[name].core_seconds.append(cores)
    for server in servers.values():
        server.communicate()


def _start(title: str, contestant: str) -> subprocess.Popen[str]:
    command = [sys.executable, *sys.argv, "--serve", title, contestant]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(server: subprocess.Popen[str]) -> tuple[float, float]:
    """Has a contestant work once. Seconds on the clock, and those that all its cores
    together worked.
    """
    server.stdin.write("work\n")
    server.stdin.flush()
    for line in server.stdout:  # libraries print things too
        if line.startswith("seconds "):
            _, clock, cores = line.split()
            return float(clock), float(cores)
    raise ChildProcessError(f"{server.args} ended early")


def _serve(contest: Contest, name: str, setting: Setting) -> None:
    """Works once for each line on standard input, and says how long it took."""
    inputs = contest.inputs(setting)
    work = partial(contest.contestants[name](setting), *inputs)
    work()
    for _ in sys.stdin:
        timing = time_in_turn({name: work}, setting.device, seconds=0, fewest=1)[name]
        print("seconds", *timing.seconds, *timing.core_seconds, flush=True)


def _peak_here(contest: Contest, name: str, setting: Setting) -> float:
    """MiB at the peak of doing the work twice, since the second time finds what the
    first has left, as a third would.
    """
    work = contest.contestants[name](setting)
    work(*contest.small(setting))
    inputs = contest.inputs(setting)
    return peak_memory(lambda: (work(*inputs), work(*inputs))[0] and None, setting.device)


def _peak_in_a_child(title: str, contestant: str) -> float:
    """`_peak_here`, in a process of its own."""
    command = [sys.executable, *sys.argv, "--peak-of", title, contestant]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(output.split()[-1])
