"""Chance decorates: floors, walls with their doors, windows and pictures, the rug, and
the sun outside.
"""

from __future__ import annotations

from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.furniture import BRIGHT, FABRICS, WOODS
from pvtseg.data.scenes.materials import DARK, Color, Material, Planks, Tiles, Wall, scaled_color
from pvtseg.data.scenes.panels import Abstract, Door, Landscape, Rug, Window
from pvtseg.data.scenes.rays import Point, unit
from pvtseg.data.scenes.room import FLOOR, Panel, Sun, Thing

PAINTS: tuple[Color, ...] = (
    (0.72, 0.66, 0.55), (0.5, 0.6, 0.62), (0.66, 0.52, 0.42), (0.52, 0.58, 0.42), (0.7, 0.69, 0.66), (0.72, 0.58, 0.3),
    (0.42, 0.46, 0.58), (0.62, 0.44, 0.44),
)  # fmt: skip
DOORS: tuple[Color, ...] = ((0.4, 0.2, 0.08), (0.24, 0.11, 0.05), (0.5, 0.3, 0.13))
FRAMES: tuple[Color, ...] = ((0.5, 0.33, 0.1), (0.05, 0.04, 0.035), (0.2, 0.09, 0.04))


def paint_walls(draws: Draws) -> Wall:
    """Plain paint, or stripes of two tones of it."""
    color = draws.one_of(PAINTS)
    second = scaled_color(color, 0.82) if draws.chance(0.3) else color
    return Wall(color, second=second, stripe=draws.between(0.2, 0.5))


def hang(draws: Draws, size: Point) -> list[Panel]:
    """Doors, windows and pictures: each wall is divided into two or three places, and
    most of them are used.
    """
    panels, windows = [], 0
    for face in range(4):
        length = size[1] if face < 2 else size[0]
        places = int(length / 1.75)
        door_at = draws.below(places) if draws.chance(0.55) else -1
        for place in range(places):
            wide = length / places
            middle, lot = (place + 0.5) * wide, draws.between(0.0, 1.0)
            if place == door_at:
                half = (draws.between(0.46, 0.54), draws.between(1.0, 1.06))
                panels.append(Panel("door", face, (middle, half[1]), half, Door(draws.one_of(DOORS), half=half)))
            elif lot < 0.42:
                half = (draws.between(0.5, min(0.8, wide / 2 - 0.08)), draws.between(0.5, 0.62))
                center = (middle, draws.between(1.4, 1.55))
                view = Window((1.0, 1.0, 1.0), glow=0.5, half=half, phase=draws.between(0.0, 200.0))
                panels.append(Panel("window", face, center, half, view))
                windows += 1
            elif lot < 0.95:
                half = (draws.between(0.36, 0.6), draws.between(0.3, 0.45))
                center = (middle + draws.between(-0.1, 0.1), draws.between(1.5, 1.65))
                panels.append(Panel("picture", face, center, half, paint_picture(draws, half)))
    return panels


def paint_picture(draws: Draws, half: tuple[float, float]) -> Material:
    """A landscape or an abstract painting."""
    frame, phase = draws.one_of(FRAMES), float(draws.below(200))
    if draws.chance(0.5):
        sky = draws.one_of(((0.7, 0.38, 0.2), (0.25, 0.42, 0.65), (0.62, 0.5, 0.3)))
        land = draws.one_of(((0.12, 0.25, 0.1), (0.25, 0.1, 0.2), (0.08, 0.18, 0.3)))
        return Landscape(frame, half=half, second=sky, third=land, phase=phase)
    return Abstract(frame, half=half, second=draws.one_of(BRIGHT), third=draws.one_of(BRIGHT), phase=phase)


def lay_floor(draws: Draws) -> Material:
    """Boards, tiles in two tones, or plain tiles."""
    if draws.chance(0.6):
        return Planks(draws.one_of(WOODS), width=draws.between(0.1, 0.18), length=draws.between(0.9, 1.6))
    tone = draws.between(0.3, 0.6)
    light: Color = (tone, tone * 0.95, tone * 0.86)
    dark = scaled_color(light, 0.45) if draws.chance(0.5) else light
    return Tiles(light, second=dark, side=draws.between(0.25, 0.45))


def lay_rug(draws: Draws, size: Point, star: Thing) -> Panel:
    """A rug that reaches out from under the thing in the middle towards the middle of
    the room.
    """
    color, border = draws.one_of(FABRICS), draws.one_of((DARK, *FABRICS))
    second: Color = draws.one_of(((0.65, 0.6, 0.5), (0.5, 0.42, 0.3)))
    is_round = draws.chance(0.25)
    x = draws.between(0.8, 1.3)
    half = (x, x) if is_round else (x, draws.between(0.7, 1.0))
    toward = draws.between(0.3, 0.7)
    spot = [star.frame.position[axis] * (1 - toward) + size[axis] / 2 * toward for axis in (0, 1)]
    across, along = (min(max(spot[axis], half[axis] + 0.1), size[axis] - half[axis] - 0.1) for axis in (0, 1))
    look = Rug(color, second=second, border=border, half=half, check=draws.between(0.14, 0.26), round=is_round)
    return Panel("rug", FLOOR, (across, along), half, look, round=is_round)


def with_horizon(panel: Panel, eye_height: float) -> Panel:
    """A window whose horizon stands where this eye sees it; anything else unchanged."""
    if not isinstance(panel.material, Window):
        return panel
    view = panel.material
    view = Window(view.color, view.unevenness, view.glow, view.half, eye_height - panel.center[1], view.phase)
    return Panel(panel.kind, panel.face, panel.center, panel.half, view)


def shine_in(draws: Draws, panels: list[Panel]) -> Sun | None:
    """The sun outside one of the windows, on some days."""
    windows = tuple(panel for panel in panels if panel.kind == "window")
    if not windows or draws.chance(0.35):
        return None
    window = draws.one_of(windows)
    outward, aside, up = draws.between(0.6, 1.0), draws.between(-0.7, 0.7), draws.between(0.45, 0.8)
    through = outward if window.face % 2 else -outward
    toward = (through, aside, up) if window.face // 2 == 0 else (aside, through, up)
    strength = draws.between(0.9, 1.5)
    return Sun(window, unit(toward), (strength, strength * 0.88, strength * 0.68))
