"""Pictures in rows under their titles, with a legend at the foot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pvtseg.interfaces import LegendEntry

GAP = 4  # pixels between pictures


class Swatch(NamedTuple):
    """A color and its name, and where they stand in the legend."""

    x: int
    y: int
    name: str
    color: tuple[int, int, int]


def image_grid(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str],
    legend: Sequence[LegendEntry],
    *,
    cell_width: int = 320,
) -> Image.Image:
    """A picture of rows of pictures (H, W, 3) uint8 under their titles, two rows side
    by side, the legend at the foot.
    """
    cells = [[_fit(picture, cell_width) for picture in row] for row in rows]
    columns = len(titles)
    per_line = 2 if len(cells) > 1 else 1
    lines = [cells[start : start + per_line] for start in range(0, len(cells), per_line)]
    heights = [max(picture.height for row in line for picture in row) for line in lines]
    width = per_line * columns * (cell_width + GAP) + (per_line - 1) * 3 * GAP - GAP
    swatches = _place_legend(legend, width)
    top = 20
    foot = (swatches[-1].y + 20) if swatches else 0
    page = Image.new("RGB", (width, top + sum(heights) + GAP * len(heights) + foot), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for y, line in zip(np.cumsum([top, *(height + GAP for height in heights)]), lines, strict=False):
        for group, row in enumerate(line):
            for column, picture in enumerate(row):
                x = (group * columns + column) * (cell_width + GAP) + group * 3 * GAP
                page.paste(picture, (x, int(y)))
                if y == top:
                    draw.text((x, 3), titles[column], fill=(60, 60, 60), font=font())
    for x, y, name, color in swatches:
        y += page.height - foot
        draw.rectangle((x, y + 3, x + 11, y + 14), fill=color, outline=(160, 160, 160))
        draw.text((x + 16, y + 1), name, fill=(60, 60, 60), font=font())
    return page


def _fit(picture: np.ndarray, width: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.NEAREST if width > image.width else Image.Resampling.BOX)


def _place_legend(legend: Sequence[LegendEntry], width: int) -> list[Swatch]:
    """The entries in lines that fit the width."""
    placed: list[Swatch] = []
    x, y = 0, 2
    for name, color in legend:
        needed = 16 + int(font().getlength(name)) + 14
        if x + needed > width and x > 0:
            x, y = 0, y + 18
        placed.append(Swatch(x, y, name, color))
        x += needed
    return placed


def font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The font of all captions."""
    return ImageFont.load_default(13)
