"""Randomness by the pixel: tables filled once from integers, then only looked up."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SIDE = 256  # cells; every table repeats after so many, and a power of two makes the wrap a mask


def cells(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The index into a flat table of the cell that holds (u, v)."""
    column = np.floor(u).astype(np.int32) & (SIDE - 1)
    row = np.floor(v).astype(np.int32) & (SIDE - 1)
    return row * SIDE + column


def speckle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """One independent number in 0..1 for each unit cell: the tone of a plank, of a tile."""
    return _white().take(cells(u, v))


def clouds(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Smooth noise in about -1..1 with features from 2 to 32 cells: plaster, fabric,
    grain, leaves.
    """
    return _clouds().take(cells(u, v))


def hills(u: np.ndarray) -> np.ndarray:
    """A skyline in about -1..1 over one coordinate."""
    start = np.floor(u)
    cell = start.astype(np.int32)
    here, there = (_clouds().take(index & (SIDE - 1)) for index in (cell, cell + 1))
    return here + (there - here) * (u - start)


def grain(height: int, width: int, top: int, left: int) -> np.ndarray:
    """The noise of a sensor, (height, width, 3), standard deviation about 1: a table
    seen from (top, left) on.
    """
    rows, columns = (top + np.arange(height)) % SIDE, (left + np.arange(width)) % SIDE
    return _grain().take(rows, axis=0).take(columns, axis=1)


@lru_cache(maxsize=1)
def _white() -> np.ndarray:
    return _numbers(1, SIDE * SIDE)


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    bell = sum(_numbers(10 + draw, SIDE * SIDE * 3) for draw in range(4)) - np.float32(2)
    return (bell * np.float32(1.732)).reshape(SIDE, SIDE, 3)  # four uniform numbers: nearly normal, variance 4 / 12


@lru_cache(maxsize=1)
def _clouds() -> np.ndarray:
    total = np.zeros((SIDE, SIDE), dtype=np.float32)
    for stretch, weight in ((2, 0.3), (4, 0.4), (8, 0.5), (16, 0.5), (32, 0.5)):
        coarse = _numbers(20 + stretch, (SIDE // stretch) ** 2).reshape(SIDE // stretch, -1) * 2 - 1
        total += np.float32(weight) * _stretch(_stretch(coarse, stretch).T, stretch).T
    return total.ravel()


def _stretch(rows: np.ndarray, factor: int) -> np.ndarray:
    """Each row drawn out `factor` times, smoothly from one to the next, and from the
    last to the first.
    """
    step = np.arange(factor, dtype=np.float32) / np.float32(factor)
    step = (step * step * (3 - 2 * step)).reshape(1, factor, 1)
    following = np.roll(rows, -1, axis=0)
    return (rows[:, None] + (following - rows)[:, None] * step).reshape(-1, rows.shape[1])


def _numbers(key: int, count: int) -> np.ndarray:
    """`count` numbers in 0..1 that depend on the key alone: 16 bits of an integer hash
    each, so exact in float32.
    """
    state = np.arange(count, dtype=np.uint32) + np.uint32(key * 0x9E3779B1 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):  # the constants of Wellons' "lowbias32"
        state = (state ^ (state >> np.uint32(shift))) * np.uint32(factor)
    return (state >> np.uint32(16)).astype(np.float32) / np.float32(65536)
