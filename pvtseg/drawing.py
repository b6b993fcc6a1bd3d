"""Answers as pictures: label palettes, depth colors, class names, and sheets that put them side by side."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Dark violet over red and orange to pale yellow: monotone in lightness, so it reads in gray and by color-blind eyes.
NEAR_TO_FAR = np.array(
    [
        (252, 253, 191),
        (254, 194, 135),
        (251, 136, 97),
        (229, 80, 100),
        (183, 55, 121),
        (129, 37, 129),
        (80, 18, 123),
        (28, 16, 68),
        (0, 0, 4),
    ],
    dtype=np.float32,
)
NO_READING = (128, 128, 128)
GAP = 4


class Painter(Protocol):
    """Draws one truth or answer: (answer, image (H, W, 3) uint8) -> picture (H, W, 3) uint8."""

    def __call__(self, answer: np.ndarray, image: np.ndarray) -> np.ndarray: ...

    def legend(self, answers: Sequence[np.ndarray] | None = None) -> list[tuple[str, tuple[int, int, int]]]:
        """What colors mean, for the foot of a sheet: (name, color). Of classes, those that the answers show, where given."""


class LabelPainter:
    """Class indices (H, W) in the palette of the data set, laid over the image; ignored pixels stay as they are."""

    def __init__(self, names: Sequence[str], palette: Sequence[Sequence[int]], *, opacity: float = 0.8):
        self.names = names
        self.opacity = opacity
        self._palette = np.array(palette, dtype=np.float32)

    def __call__(self, answer: np.ndarray, image: np.ndarray) -> np.ndarray:
        known = (answer >= 0) & (answer < len(self._palette))
        colors = self._palette[np.where(known, answer, 0)]
        overlay = self.opacity * colors + (1 - self.opacity) * image
        return np.where(known[..., None], overlay, image).astype(np.uint8)

    def legend(self, answers: Sequence[np.ndarray] | None = None) -> list[tuple[str, tuple[int, int, int]]]:
        shown = range(len(self.names)) if answers is None else set().union(*(np.unique(answer).tolist() for answer in answers))
        entries = zip(self.names, self._palette.astype(int).tolist(), strict=True)
        return [(name, tuple(color)) for index, (name, color) in enumerate(entries) if index in shown]


class DepthPainter:
    """Depth in meters (1, H, W) or (H, W): bright is near, dark is far, on a scale fixed by the range; no reading is gray."""

    def __init__(self, min_depth: float, max_depth: float):
        self.min_depth = min_depth
        self.max_depth = max_depth

    def __call__(self, answer: np.ndarray, image: np.ndarray) -> np.ndarray:  # noqa: ARG002 (depth needs no image)
        meters = answer.reshape(answer.shape[-2:])
        colors = self._colors(meters)
        return np.where((meters > 0)[..., None], colors, NO_READING).astype(np.uint8)

    def legend(self, answers: Sequence[np.ndarray] | None = None) -> list[tuple[str, tuple[int, int, int]]]:  # noqa: ARG002
        meters = np.linspace(self.min_depth, self.max_depth, 6)
        scale = [(f"{value:.1f} m", tuple(int(c) for c in self._colors(value))) for value in meters]
        return [*scale, ("no reading", NO_READING)]

    def _colors(self, meters: np.ndarray) -> np.ndarray:
        position = np.clip((meters - self.min_depth) / (self.max_depth - self.min_depth), 0, 1) * (len(NEAR_TO_FAR) - 1)
        lower = np.minimum(position.astype(int), len(NEAR_TO_FAR) - 2)
        share = (position - lower)[..., None]
        return (1 - share) * NEAR_TO_FAR[lower] + share * NEAR_TO_FAR[lower + 1]


class ClassPainter:
    """A class index, or logits (K,), written onto the image."""

    def __init__(self, names: Sequence[str]):
        self.names = names

    def __call__(self, answer: np.ndarray, image: np.ndarray) -> np.ndarray:
        index = int(answer) if np.ndim(answer) == 0 else int(np.argmax(answer))
        picture = Image.fromarray(image)
        draw = ImageDraw.Draw(picture)
        name = self.names[index]
        draw.rectangle(draw.textbbox((3, 3), name, font=_font()), fill=(0, 0, 0))
        draw.text((3, 3), name, fill=(255, 255, 255), font=_font())
        return np.asarray(picture)

    def legend(self, answers: Sequence[np.ndarray] | None = None) -> list[tuple[str, tuple[int, int, int]]]:  # noqa: ARG002
        return []


def sheet(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str],
    legend: Sequence[tuple[str, tuple[int, int, int]]],
    *,
    cell_width: int = 320,
) -> Image.Image:
    """Rows of pictures (H, W, 3) uint8 under their titles, two rows of the list side by side, the legend at the foot."""
    rows = [[_fit(picture, cell_width) for picture in row] for row in rows]
    columns = len(titles)
    per_line = 2 if len(rows) > 1 else 1
    lines = [rows[start : start + per_line] for start in range(0, len(rows), per_line)]
    heights = [max(picture.height for row in line for picture in row) for line in lines]
    width = per_line * columns * (cell_width + GAP) + (per_line - 1) * 3 * GAP - GAP
    swatches = _place_legend(legend, width)
    top = 20
    foot = (swatches[-1][1] + 20) if swatches else 0
    page = Image.new("RGB", (width, top + sum(heights) + GAP * len(heights) + foot), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for y, line in zip(np.cumsum([top, *(height + GAP for height in heights)]), lines, strict=False):
        for group, row in enumerate(line):
            for column, picture in enumerate(row):
                x = (group * columns + column) * (cell_width + GAP) + group * 3 * GAP
                page.paste(picture, (x, int(y)))
                if y == top:
                    draw.text((x, 3), titles[column], fill=(60, 60, 60), font=_font())
    for x, y, name, color in swatches:
        y += page.height - foot
        draw.rectangle((x, y + 3, x + 11, y + 14), fill=color, outline=(160, 160, 160))
        draw.text((x + 16, y + 1), name, fill=(60, 60, 60), font=_font())
    return page


def _fit(picture: np.ndarray, width: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.NEAREST if width > image.width else Image.Resampling.BOX)


def _place_legend(legend: Sequence[tuple[str, tuple[int, int, int]]], width: int) -> list[tuple]:
    """(x, y, name, color) of each entry, in lines that fit the width."""
    placed, x, y = [], 0, 2
    for name, color in legend:
        needed = 16 + int(_font().getlength(name)) + 14
        if x + needed > width and x > 0:
            x, y = 0, y + 18
        placed.append((x, y, name, color))
        x += needed
    return placed


def _font() -> ImageFont.ImageFont:
    return ImageFont.load_default(13)
