"""Rays, and the frames they are looked at from.

Vectors are arrays (3, n) float32, in meters: row 0 is x, row 1 is y, row 2 is z (up),
one column a ray. A ray is `origin + t * direction`. The direction of a camera's ray
measures one along the optical axis, so that its t *is* the planar depth that a depth
camera reports.

Only + - * / sqrt, comparisons and floor touch the pixels, written out, without BLAS and
without sums over many values: IEEE arithmetic rounds each of these in one way only, so
that a scene is the same on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

Point = tuple[float, float, float]

FAR = np.float32(1e9)  # meters; farther than anything, and still far from float32's infinity when squared


@lru_cache(maxsize=1024)  # every solid meets several bundles of rays
def column(point: Point) -> np.ndarray:
    """One point as a vector (3, 1), ready to meet a whole (3, n)."""
    return np.array(point, dtype=np.float32).reshape(3, 1)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, n) and (3, n) or (3, 1) -> (n,)."""
    product = a * b
    return product[0] + product[1] + product[2]


def unit(vector: Point) -> Point:
    """The vector at length one."""
    x, y, z = vector
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length)


@dataclass
class Rays:
    """A bundle of rays: origin (3, 1) when they share an eye, else (3, n); direction (3, n)."""

    origin: np.ndarray
    direction: np.ndarray

    @cached_property
    def inverse(self) -> np.ndarray:
        """One over the direction, (3, n). A ray in parallel to a plane meets it far
        away instead of nowhere.
        """
        return np.float32(1) / np.where(self.direction == 0, np.float32(1e-9), self.direction)

    @cached_property
    def reach(self) -> np.ndarray:
        """How far along each ray one meter of each axis lies, (3, n)."""
        return np.abs(self.inverse)

    def __getitem__(self, chosen: np.ndarray) -> Rays:
        """The rays at these indices."""
        origin = self.origin if self.origin.shape[1] == 1 else self.origin.take(chosen, axis=1)
        return Rays(origin, self.direction.take(chosen, axis=1))

    def at(self, t: np.ndarray) -> np.ndarray:
        """The points reached after t, (3, n)."""
        return self.origin + t * self.direction


@dataclass(frozen=True)
class Frame:
    """Where a thing stands and which way its own x axis points: a turn about the
    vertical and a shift.

    `facing` is a unit vector in the plane, the cosine and sine of the turn.
    """

    position: Point = (0.0, 0.0, 0.0)
    facing: tuple[float, float] = (1.0, 0.0)

    def inward(self, vectors: np.ndarray) -> np.ndarray:
        """Directions of the room (3, n) as the thing sees them."""
        cosine, sine = self.facing
        x, y, z = vectors
        return np.array((cosine * x + sine * y, cosine * y - sine * x, z))

    def outward(self, vectors: np.ndarray) -> np.ndarray:
        """Directions of the thing (3, n) as the room sees them."""
        cosine, sine = self.facing
        x, y, z = vectors
        return np.array((cosine * x - sine * y, sine * x + cosine * y, z))

    def points_inward(self, points: np.ndarray) -> np.ndarray:
        """Points of the room (3, n) in the thing's own coordinates."""
        return self.inward(points - column(self.position))

    def rays_inward(self, rays: Rays) -> Rays:
        """Rays of the room in the thing's own coordinates; t means the same in both."""
        return Rays(self.points_inward(rays.origin), self.inward(rays.direction))
