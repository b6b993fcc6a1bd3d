"""Time and memory against what is known beforehand: a nap, a tensor of a known size."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from pvtseg.cli.measuring import MOST, time_in_turn

CPU = torch.device("cpu")


def test_works_take_turns():
    seen = []
    time_in_turn({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, CPU, seconds=0, fewest=3)
    assert seen == ["a", "b"] * 3


def test_short_work_is_repeated_no_more_than_it_helps():
    assert len(time_in_turn({"nothing": lambda: None}, CPU, seconds=60)["nothing"].seconds) == MOST


def test_waiting_takes_time_but_no_work():
    timing = time_in_turn({"nap": lambda: time.sleep(0.05)}, CPU, seconds=0, fewest=3)["nap"]
    lower, upper = timing.quartiles
    assert 0.05 <= lower <= timing.median <= upper
    assert timing.median_core_seconds < 0.04


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone tells")
def test_the_peak_is_what_was_held_at_once():
    """In a process of its own: one that has freed much may lay the next block beside
    the last, and then holds both.
    """
    program = """
import torch
from pvtseg.cli.measuring import peak_memory

mebibytes = 1 << 18  # of float32

def work():
    for _ in range(3):  # one after the other
        torch.ones(64 * mebibytes)

torch.ones(200 * mebibytes)  # what was before does not count
print(peak_memory(work, torch.device("cpu")))
"""
    peak = float(subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert 63 < peak < 80
