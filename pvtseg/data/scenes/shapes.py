"""The three solids everything is built from: a box, an ellipsoid, and a frustum (a
cylinder whose ends may differ).

All are convex, so a ray is inside from `near` to `far` and nowhere else; for a ray that
misses, near < far is false: they come the other way round, or as nan. That interval
answers both questions a renderer asks: where the eye's ray enters, and how much of the
solid a shadow ray crosses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pvtseg.data.scenes.rays import FAR, Point, Rays, column, dot


@dataclass(frozen=True)
class Box:
    """A box along the axes: `half` its extent to each side of `center`."""

    center: Point
    half: Point

    def span(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Where each ray enters and leaves, (n,) and (n,): inside all three slabs at once."""
        middle = (column(self.center) - rays.origin) * rays.inverse
        reach = column(self.half) * rays.reach
        return (middle - reach).max(axis=0), (middle + reach).min(axis=0)

    def normal(self, points: np.ndarray) -> np.ndarray:
        """The outward unit normals at points (3, n) of the surface: along the axis that
        is most nearly at its end.
        """
        offset = (points - column(self.center)) / column(self.half)
        extent = np.abs(offset)
        x, y, z = extent
        along_x, along_z = (x >= y) & (x >= z), (z > x) & (z >= y)
        sign = np.where(offset < 0, np.float32(-1), np.float32(1))
        return sign * np.array((along_x, ~(along_x | along_z), along_z))

    @property
    def bounds(self) -> tuple[Point, Point]:
        """The lowest and the highest corner."""
        return _around(self.center, self.half)


@dataclass(frozen=True)
class Ellipsoid:
    """A ball, stretched along the axes to the half-extents `half`."""

    center: Point
    half: Point

    def span(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Where each ray enters and leaves, (n,) and (n,): the ray against the unit
        ball, in units of `half`.
        """
        origin = (rays.origin - column(self.center)) / column(self.half)
        direction = rays.direction / column(self.half)
        a, b, c = dot(direction, direction), dot(origin, direction), dot(origin, origin) - np.float32(1)
        first, last = _roots(a, b, c)
        return first, last

    def normal(self, points: np.ndarray) -> np.ndarray:
        """The outward unit normals at points (3, n) of the surface."""
        half = column(self.half)
        gradient = (points - column(self.center)) / (half * half)
        return gradient / np.sqrt(dot(gradient, gradient))

    @property
    def bounds(self) -> tuple[Point, Point]:
        """The lowest and the highest corner of the box around it."""
        return _around(self.center, self.half)


@dataclass(frozen=True)
class Frustum:
    """An upright round solid: radius `bottom` at the height `base`, radius `top` at
    `base + height`.
    """

    x: float
    y: float
    base: float
    height: float
    bottom: float
    top: float

    @property
    def slope(self) -> float:
        """How much the radius grows with each meter of height."""
        return (self.top - self.bottom) / self.height

    def span(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Where each ray enters and leaves, (n,) and (n,): inside the cone and between
        the two lids.
        """
        x, y, z = rays.origin - column((self.x, self.y, self.base))
        dx, dy, dz = rays.direction
        radius, widening = self.bottom + self.slope * z, self.slope * dz
        first, last = _roots(
            dx * dx + dy * dy - widening * widening,
            x * dx + y * dy - radius * widening,
            x * x + y * y - radius * radius,
        )
        # A ray steeper than the cone's side stays inside where the cone widens: from
        # the later root on, which _roots then calls the first, or up to the earlier
        # one. (The other root lies on the cone's flipped image.)
        steep = widening * widening > dx * dx + dy * dy
        near = np.where(steep & (widening < 0), -FAR, first)
        far = np.where(steep, np.where(widening > 0, FAR, last), last)
        middle = (np.float32(self.height / 2) - z) * rays.inverse[2]
        reach = np.float32(self.height / 2) * rays.reach[2]
        return np.maximum(near, middle - reach), np.minimum(far, middle + reach)

    def normal(self, points: np.ndarray) -> np.ndarray:
        """The outward unit normals at points (3, n) of the surface, on the lids and on
        the side.
        """
        x, y, z = points - column((self.x, self.y, self.base))
        side = np.array((x, y, -self.slope * np.sqrt(x * x + y * y)))
        side /= np.sqrt(dot(side, side)) + np.float32(1e-9)
        on_top, on_bottom = z > np.float32(self.height - 1e-3), z < np.float32(1e-3)
        lid = np.where(on_top, np.float32(1), np.where(on_bottom, np.float32(-1), np.float32(0)))
        return np.where(lid == 0, side, np.array((lid * 0, lid * 0, lid)))

    @property
    def bounds(self) -> tuple[Point, Point]:
        """The lowest and the highest corner of the box around it."""
        radius = max(self.bottom, self.top)
        return (
            (self.x - radius, self.y - radius, self.base),
            (self.x + radius, self.y + radius, self.base + self.height),
        )


Shape = Box | Ellipsoid | Frustum


def _roots(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two t with a t² + 2 b t + c = 0, (n,) and (n,), in order when a > 0; nan
    where there are none.
    """
    root = np.sqrt(b * b - a * c)
    scale = np.float32(-1) / a
    return (b + root) * scale, (b - root) * scale


def _around(center: Point, half: Point) -> tuple[Point, Point]:
    (x, y, z), (across, along, up) = center, half
    return (x - across, y - along, z - up), (x + across, y + along, z + up)
