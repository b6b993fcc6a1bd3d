"""A room whose picture is about one thing: furnish, look, and try again until that is plain."""

from __future__ import annotations

import numpy as np

from pvtseg.data.scenes.camera import look
from pvtseg.data.scenes.decorating import hang, lay_floor, lay_rug, paint_walls, shine_in, with_horizon
from pvtseg.data.scenes.draws import Draws
from pvtseg.data.scenes.furniture import MAKERS
from pvtseg.data.scenes.materials import Material
from pvtseg.data.scenes.placing import apart, clear_of, hides, stand
from pvtseg.data.scenes.rays import FAR
from pvtseg.data.scenes.render import image_plane
from pvtseg.data.scenes.room import Light, Room
from pvtseg.data.scenes.tracing import Stage

PROBE = (30, 40)  # rays, (down, across), that judge a composition before it is rendered
LEAST, MARGIN = 0.035, 1.8  # the thing in the middle: its least part of the view, and how many times any other kind's


def compose(draws: Draws, kind: str, aspect: float) -> Stage:
    """A room in which the thing of this kind is plainly what the picture shows; with
    ever fewer others until it is.
    """
    others, least = 16, LEAST
    while True:
        room = furnish(draws, kind, aspect, others)
        if room is not None and plain(stage := Stage(room), least):
            return stage
        others, least = max(0, others - 2), least * 0.98  # a very long and narrow image has to be content with less


def plain(stage: Stage, least: float) -> bool:
    """Whether the first thing covers at least this much of the view, and far more than
    any other kind does in all.
    """
    x, y = image_plane(stage.room, *PROBE)
    depth, surface = np.full(x.shape, FAR), np.zeros(x.shape, dtype=np.int16)
    stage.things(stage.rays(x, y), x, y, depth, surface)
    covered = dict.fromkeys(MAKERS, 0)
    for number, rays in enumerate(np.bincount(surface).tolist()):
        if rays and stage.surfaces[number].thing:
            covered[stage.surfaces[number].kind] += rays
    star = covered.pop(stage.room.things[0].piece.kind)
    return star >= least * x.size and star >= MARGIN * max(covered.values())


def furnish(draws: Draws, kind: str, aspect: float, others: int) -> Room | None:
    """A room with a thing of this kind in the middle of the view, and others where
    `others` attempts found a place.

    `aspect` is the image's width over its height. None if the thing itself, or a camera
    before it, found no place.
    """
    rest = tuple(other for other in MAKERS if other != kind)
    size = (draws.between(4.0, 6.4), draws.between(4.0, 6.4), draws.between(2.4, 2.9))
    panels = hang(draws, size)
    piece = MAKERS[kind](draws)
    places = (stand(draws, piece, size) for _ in range(10))
    star = next((place for place in places if not hides(place, panels, size)), None)
    camera = None if star is None else look(draws, star, size, aspect)
    if star is None or camera is None:
        return None
    things = [star]
    for _ in range(others):
        extra = draws.one_of(rest)
        thing = stand(draws, MAKERS[extra](draws), size)
        free = clear_of(camera, thing, star) and all(apart(thing, other) for other in things)
        if free and not hides(thing, panels, size):
            things.append(thing)
    if draws.chance(0.85):
        panels.append(lay_rug(draws, size, star))
    bright, warmth = draws.between(4.2, 6.2), draws.between(-0.08, 0.1)
    lamp = (size[0] * draws.between(0.35, 0.65), size[1] * draws.between(0.35, 0.65), size[2] - draws.between(0.4, 0.7))
    return Room(
        size=size,
        walls=paint_walls(draws),
        floor=lay_floor(draws),
        ceiling=Material((0.86, 0.85, 0.83), unevenness=0.03),
        panels=tuple(with_horizon(panel, camera.eye[2]) for panel in panels),
        things=tuple(things),
        camera=camera,
        light=Light(lamp, (bright * (1 + warmth), bright, bright * (1 - warmth))),
        sun=shine_in(draws, panels),
        ambient=(0.27, 0.28, 0.30),
        exposure=draws.between(0.55, 0.8),
    )
