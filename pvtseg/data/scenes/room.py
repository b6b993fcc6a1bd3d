"""What is in a room: its size and surfaces, what hangs on the walls, what stands where, and who is looking.

A room fills x from 0 to its width, y from 0 to its depth and z from 0 to its height. Its six faces are numbered two to an
axis, low side first: 0 and 1 are the walls across x, 2 and 3 those across y, 4 the floor and 5 the ceiling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .furniture import BRIGHT, FABRICS, MAKERS, WOODS, Dice, Piece
from .materials import DARK, Abstract, Colour, Door, Landscape, Material, Planks, Rug, Tiles, Wall, Window
from .rays import Frame, Point

FLOOR, CEILING = 4, 5
ACROSS = ((1, 2), (0, 2), (0, 1))  # the two axes that span a face, by the axis it cuts

PAINTS: tuple[Colour, ...] = (
    (0.72, 0.66, 0.55), (0.5, 0.6, 0.62), (0.66, 0.52, 0.42), (0.52, 0.58, 0.42), (0.7, 0.69, 0.66), (0.72, 0.58, 0.3),
    (0.42, 0.46, 0.58), (0.62, 0.44, 0.44),
)  # fmt: skip
WALL_GAP = 0.5  # metres the eye keeps from the walls: what it sees of them is then deeper than 0.3 m
SOLID = {"sofa": 0.9, "table": 0.6, "cupboard": 0.9, "lamp": 0.35, "plant": 0.6, "ball": 0.75}  # of the box around it

DOORS: tuple[Colour, ...] = ((0.4, 0.2, 0.08), (0.24, 0.11, 0.05), (0.5, 0.3, 0.13))
FRAMES: tuple[Colour, ...] = ((0.5, 0.33, 0.1), (0.05, 0.04, 0.035), (0.2, 0.09, 0.04))


@dataclass(frozen=True)
class Panel:
    """Something flat on a face: a door, window, picture or rug, with its middle at `centre` along the face's two axes."""

    kind: str
    face: int
    centre: tuple[float, float]
    half: tuple[float, float]
    material: Material
    round: bool = False


@dataclass(frozen=True)
class Thing:
    """A piece of furniture that stands somewhere and faces some way."""

    piece: Piece
    frame: Frame


@dataclass(frozen=True)
class Camera:
    """An eye, the unit vectors it looks along, to its right and to its bottom, and half of what it sees at one metre."""

    eye: Point
    forward: Point
    right: Point
    down: Point
    half: tuple[float, float]  # (across, down), metres at a depth of one metre


@dataclass(frozen=True)
class Light:
    """A point that shines: where, and how brightly at one metre in each colour."""

    position: Point
    power: Colour


@dataclass(frozen=True)
class Sun:
    """Sunlight that falls in through one window: the unit vector towards the sun, and its power."""

    window: Panel
    toward: Point
    power: Colour


@dataclass(frozen=True)
class Room:
    """Everything there is to see, from where, and in what light."""

    size: Point
    walls: Material
    floor: Material
    ceiling: Material
    panels: tuple[Panel, ...]
    things: tuple[Thing, ...]
    camera: Camera
    light: Light
    sun: Sun | None
    ambient: Colour
    exposure: float


def furnish(dice: Dice, kind: str, aspect: float, others: int) -> Room | None:
    """A room with a thing of this kind in the middle of the view, after `others` attempts at adding things of other kinds.

    `aspect` is the image's width over its height. None if the thing, or a camera before it, found no place.
    """
    rest = tuple(other for other in MAKERS if other != kind)
    size = (dice.between(4.0, 6.4), dice.between(4.0, 6.4), dice.between(2.4, 2.9))
    panels = hang(dice, size)
    piece = MAKERS[kind](dice)
    places = (stand(dice, piece, size) for _ in range(10))
    star = next((place for place in places if not hides(place, panels, size)), None)
    camera = star and look(dice, star, size, aspect)
    if camera is None:
        return None
    things = [star]
    for _ in range(others):
        extra = dice.one_of(rest)
        thing = stand(dice, MAKERS[extra](dice), size)
        free = clear_of(camera, thing, star) and all(apart(thing, other) for other in things)
        if free and not hides(thing, panels, size):
            things.append(thing)
    if dice.chance(0.85):
        panels.append(lay_rug(dice, size, star))
    wall = dice.one_of(PAINTS)
    bright, warmth = dice.between(4.2, 6.2), dice.between(-0.08, 0.1)
    lamp = (size[0] * dice.between(0.35, 0.65), size[1] * dice.between(0.35, 0.65), size[2] - dice.between(0.4, 0.7))
    return Room(
        size=size,
        walls=Wall(wall, second=tuple(0.82 * c for c in wall) if dice.chance(0.3) else wall, stripe=dice.between(0.2, 0.5)),
        floor=lay_floor(dice),
        ceiling=Material((0.86, 0.85, 0.83), unevenness=0.03),
        panels=tuple(with_horizon(panel, camera.eye[2]) for panel in panels),
        things=tuple(things),
        camera=camera,
        light=Light(lamp, (bright * (1 + warmth), bright, bright * (1 - warmth))),
        sun=shine_in(dice, panels),
        ambient=(0.27, 0.28, 0.30),
        exposure=dice.between(0.55, 0.8),
    )


def hang(dice: Dice, size: Point) -> list[Panel]:
    """Doors, windows and pictures: each wall is divided into two or three places, and most of them are used."""
    panels, windows = [], 0
    for face in range(4):
        length = size[1] if face < 2 else size[0]
        places = int(length / 1.75)
        door_at = dice.below(places) if dice.chance(0.55) else -1
        for place in range(places):
            wide = length / places
            middle, lot = (place + 0.5) * wide, dice.between(0.0, 1.0)
            if place == door_at:
                half = (dice.between(0.46, 0.54), dice.between(1.0, 1.06))
                panels.append(Panel("door", face, (middle, half[1]), half, Door(dice.one_of(DOORS), half=half)))
            elif lot < 0.42:
                half = (dice.between(0.5, min(0.8, wide / 2 - 0.08)), dice.between(0.5, 0.62))
                centre = (middle, dice.between(1.4, 1.55))
                view = Window((1.0, 1.0, 1.0), glow=1.0, half=half, phase=dice.between(0.0, 200.0))
                panels.append(Panel("window", face, centre, half, view))
                windows += 1
            elif lot < 0.95:
                half = (dice.between(0.36, 0.6), dice.between(0.3, 0.45))
                centre = (middle + dice.between(-0.1, 0.1), dice.between(1.5, 1.65))
                panels.append(Panel("picture", face, centre, half, paint_picture(dice, half)))
    return panels


def paint_picture(dice: Dice, half: tuple[float, float]) -> Material:
    """A landscape or an abstract painting."""
    frame, phase = dice.one_of(FRAMES), float(dice.below(200))
    if dice.chance(0.5):
        sky = dice.one_of(((0.7, 0.38, 0.2), (0.25, 0.42, 0.65), (0.62, 0.5, 0.3)))
        land = dice.one_of(((0.12, 0.25, 0.1), (0.25, 0.1, 0.2), (0.08, 0.18, 0.3)))
        return Landscape(frame, half=half, second=sky, third=land, phase=phase)
    return Abstract(frame, half=half, second=dice.one_of(BRIGHT), third=dice.one_of(BRIGHT), phase=phase)


def shine_in(dice: Dice, panels: list[Panel]) -> Sun | None:
    """The sun outside one of the windows, on some days."""
    windows = tuple(panel for panel in panels if panel.kind == "window")
    if not windows or dice.chance(0.35):
        return None
    window = dice.one_of(windows)
    outward, aside, up = dice.between(0.6, 1.0), dice.between(-0.7, 0.7), dice.between(0.45, 0.8)
    toward = [aside, up]
    toward.insert(window.face // 2, outward if window.face % 2 else -outward)
    strength = dice.between(0.9, 1.5)
    return Sun(window, unit(tuple(toward)), (strength, strength * 0.88, strength * 0.68))


def lay_floor(dice: Dice) -> Material:
    """Boards, tiles in two tones, or plain tiles."""
    if dice.chance(0.6):
        return Planks(dice.one_of(WOODS), width=dice.between(0.1, 0.18), length=dice.between(0.9, 1.6))
    tone = dice.between(0.3, 0.6)
    light: Colour = (tone, tone * 0.95, tone * 0.86)
    dark: Colour = tuple(0.45 * c for c in light) if dice.chance(0.5) else light
    return Tiles(light, second=dark, side=dice.between(0.25, 0.45))


def lay_rug(dice: Dice, size: Point, star: Thing) -> Panel:
    """A rug that reaches out from under the thing in the middle towards the middle of the room."""
    colour, border = dice.one_of(FABRICS), dice.one_of((DARK, *FABRICS))
    second: Colour = dice.one_of(((0.65, 0.6, 0.5), (0.5, 0.42, 0.3)))
    is_round = dice.chance(0.25)
    x = dice.between(0.8, 1.3)
    half = (x, x) if is_round else (x, dice.between(0.7, 1.0))
    toward = dice.between(0.3, 0.7)
    spot = [star.frame.position[axis] * (1 - toward) + size[axis] / 2 * toward for axis in (0, 1)]
    centre = tuple(min(max(spot[axis], half[axis] + 0.1), size[axis] - half[axis] - 0.1) for axis in (0, 1))
    look = Rug(colour, second=second, border=border, half=half, check=dice.between(0.14, 0.26), round=is_round)
    return Panel("rug", FLOOR, centre, half, look, round=is_round)


def with_horizon(panel: Panel, eye_height: float) -> Panel:
    """A window whose horizon stands where this eye sees it; anything else as it is."""
    if not isinstance(panel.material, Window):
        return panel
    view = panel.material
    view = Window(view.colour, view.unevenness, view.glow, view.half, eye_height - panel.centre[1], view.phase)
    return Panel(panel.kind, panel.face, panel.centre, panel.half, view)


def stand(dice: Dice, piece: Piece, size: Point) -> Thing:
    """A place for a piece: sofas and cupboards with their backs to a wall, the rest anywhere, at any angle."""
    if piece.kind in ("sofa", "cupboard"):
        return against_wall(dice, piece, size)
    facing = unit((dice.between(-1, 1), dice.between(0, 1) + 1e-6, 0.0))[:2]
    margin = reach(piece) + 0.1
    return Thing(piece, Frame((dice.between(margin, size[0] - margin), dice.between(margin, size[1] - margin), 0.0), facing))


def against_wall(dice: Dice, piece: Piece, size: Point) -> Thing:
    """A piece with its back to some wall."""
    face = dice.below(4)
    along = dice.between(piece.half[0] + 0.1, size[1 if face < 2 else 0] - piece.half[0] - 0.1)
    gap = piece.half[1] + 0.04
    spot, facing = (
        ((gap, along, 0.0), (0.0, -1.0)),
        ((size[0] - gap, along, 0.0), (0.0, 1.0)),
        ((along, gap, 0.0), (1.0, 0.0)),
        ((along, size[1] - gap, 0.0), (-1.0, 0.0)),
    )[face]
    return Thing(piece, Frame(spot, facing))


def reach(piece: Piece) -> float:
    """How far from its middle a piece goes, at any angle."""
    return math.sqrt(piece.half[0] * piece.half[0] + piece.half[1] * piece.half[1])


def distance(a: Point, b: Point) -> float:
    """How far apart two points are on the floor plan."""
    return math.sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]))


def apart(thing: Thing, other: Thing) -> bool:
    """Whether two things surely do not touch, however they are turned."""
    return distance(thing.frame.position, other.frame.position) > reach(thing.piece) + reach(other.piece) + 0.05


def hides(thing: Thing, panels: list[Panel], size: Point) -> bool:
    """Whether a thing stands right in front of a door, or is so tall that it hides a window or picture behind it."""
    position, near, height = thing.frame.position, reach(thing.piece) + 0.2, thing.piece.height
    gaps = (position[0], size[0] - position[0], position[1], size[1] - position[1])
    return any(
        gaps[panel.face] < near
        and height > panel.centre[1] - panel.half[1]
        and abs(position[1 - panel.face // 2] - panel.centre[0]) < thing.piece.half[0] + panel.half[0]
        for panel in panels
    )


def look(dice: Dice, star: Thing, size: Point, aspect: float) -> Camera | None:
    """A camera with the thing in the middle at a good size, where the view goes deepest; None if the room has no place."""
    longer = dice.between(0.66, 0.84)
    half = (longer, longer / aspect) if aspect >= 1 else (longer * aspect, longer)
    piece, spot, (cosine, sine) = star.piece, star.frame.position, star.frame.facing
    best, deepest = None, 0.0
    for _ in range(16):
        away = math.sqrt(face_area(piece) / (dice.between(0.05, 0.12) * 4 * half[0] * half[1]))
        away = min(max(away, reach(piece) + 0.9), 4.8)
        x, y, _ = unit((dice.between(-1, 1), dice.between(-1, 1) + 1e-6, 0.0))
        eye = (spot[0] + away * x, spot[1] + away * y)
        inside = all(WALL_GAP < eye[axis] < size[axis] - WALL_GAP for axis in (0, 1))
        before = y * cosine - x * sine > 0.25 or piece.kind not in ("sofa", "cupboard")
        if inside and before:
            depth = min(eye[0] / x if x > 0 else (eye[0] - size[0]) / x, eye[1] / y if y > 0 else (eye[1] - size[1]) / y)
            if depth > deepest:
                best, deepest = (*eye, x, y, away), depth
    if best is None:
        return None
    eye_x, eye_y, x, y, away = best
    height, shift = dice.between(0.95, 1.5), dice.between(-0.2, 0.2) * away * half[0]
    drop = max(dice.between(-0.02, 0.12), height / away - 0.9 * half[1])  # metres a metre; the thing's foot stays in view
    return aimed((eye_x, eye_y, height), (spot[0] - y * shift, spot[1] + x * shift, height - away * drop), half)


def aimed(eye: Point, aim: Point, half: tuple[float, float]) -> Camera:
    """A camera at `eye` that looks at `aim` and holds its horizon level."""
    forward = unit(tuple(a - e for a, e in zip(aim, eye, strict=True)))
    right = unit((forward[1], -forward[0], 0.0))
    down = (
        forward[1] * right[2] - forward[2] * right[1],
        forward[2] * right[0] - forward[0] * right[2],
        forward[0] * right[1] - forward[1] * right[0],
    )
    return Camera(eye, forward, right, down, half)


def clear_of(camera: Camera, thing: Thing, star: Thing) -> bool:
    """Whether a thing is in view, not in the way of the camera or of the thing in the middle, and looks much smaller."""
    x, y = (thing.frame.position[axis] - camera.eye[axis] for axis in (0, 1))
    ahead, aside = x * camera.forward[0] + y * camera.forward[1], x * camera.right[0] + y * camera.right[1]
    near, middle = distance(camera.eye, thing.frame.position), distance(camera.eye, star.frame.position)
    in_view = abs(aside) < camera.half[0] * ahead and near > reach(thing.piece) + 0.7
    in_front = near < middle and abs(aside) < reach(thing.piece) + reach(star.piece) * near / middle
    small = face_area(thing.piece) * middle * middle * 1.8 < face_area(star.piece) * near * near
    return in_view and small and not in_front


def face_area(piece: Piece) -> float:
    """About how many square metres of a piece one sees from one side."""
    return (piece.half[0] + piece.half[1]) * piece.height * SOLID[piece.kind]


def unit(vector: Point) -> Point:
    """The vector at length one."""
    x, y, z = vector
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length)
