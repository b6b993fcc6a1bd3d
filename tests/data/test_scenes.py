"""The rendered scenes: one room per key, and all targets of it from the same rays."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from pvtseg.data.scenes import CLASSES, KINDS, Scenes, scene_labels
from pvtseg.data.scenes.lighting import illuminate
from pvtseg.data.scenes.render import image_plane
from pvtseg.data.scenes.room import FLOOR
from pvtseg.data.scenes.shapes import Box, Ellipsoid
from pvtseg.data.scenes.tracing import Stage
from pvtseg.errors import UserError
from pvtseg.paths import config_dir

SMALL = (60, 80)


@pytest.fixture(scope="module")
def scenes():
    """Five dozen training scenes."""
    data = Scenes("train", target="segmentation", length=60, size=SMALL)
    return [data.scene(index) for index in range(len(data))]


def fingerprint(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes())
    return digest.hexdigest()[:16]


def test_shapes_and_types_are_as_promised(scenes):
    scene = scenes[0]
    assert scene.image.shape == (*SMALL, 3)
    assert scene.image.dtype == np.uint8
    assert scene.segmentation_map.shape == scene.depth.shape == scene.instances.shape == SMALL
    assert (scene.segmentation_map.dtype, scene.depth.dtype, scene.instances.dtype) == (np.uint8, np.float32, np.uint16)
    assert scene.boxes.shape == (len(scene.box_labels), 4)
    assert (scene.boxes.dtype, scene.box_labels.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize(
    ("target", "kind"), [("segmentation", "segmentation_map"), ("depth", "depth"), ("classification", "label")]
)
def test_the_target_is_that_of_the_option(target, kind):
    data = Scenes("val", target=target, length=20, size=SMALL)
    sample, scene = data[13], data.scene(13)
    assert np.array_equal(sample["target"], getattr(scene, kind))
    assert np.array_equal(sample["image"], scene.image)
    assert sample["name"] == "scenes/val/00013"


def test_the_same_index_gives_the_same_room():
    first, again = (Scenes("train", target="depth", length=length, size=SMALL).scene(5) for length in (6, 1000))
    assert first.room == again.room
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.depth, again.depth)


def test_the_room_does_not_depend_on_the_resolution():
    small, large = (Scenes("train", target="depth", length=9, size=size).scene(4) for size in ((48, 64), (96, 128)))
    assert small.room == large.room


def test_one_scene_is_the_same_on_every_machine():
    scene = Scenes("train", target="depth", length=100, size=(96, 128), seed=3).scene(37)
    maps = fingerprint(scene.segmentation_map, scene.depth, scene.instances, scene.boxes, scene.box_labels)
    assert (fingerprint(scene.image), maps) == ("b18e98725585f49d", "9e388397fc807af5")


def test_training_and_validation_share_no_room():
    train, val, other = (
        {Scenes(split, target="depth", length=30, size=(32, 32), seed=seed).scene(index).room for index in range(30)}
        for split, seed in (("train", 0), ("val", 0), ("train", 1))
    )
    assert len(train) == len(val) == len(other) == 30
    assert len(train | val | other) == 90


def contains(shape, points):
    """Whether a solid holds each of the points (n, 3), from its definition."""
    if isinstance(shape, Box):
        return (np.abs(points - shape.center) <= shape.half).all(axis=1)
    if isinstance(shape, Ellipsoid):
        return (((points - shape.center) / shape.half) ** 2).sum(axis=1) <= 1
    x, y, z = (points - (shape.x, shape.y, shape.base)).T
    radius = shape.bottom + (shape.top - shape.bottom) * z / shape.height
    return (np.hypot(x, y) <= radius) & (z >= 0) & (z <= shape.height)


def walk(room, row, column, height, width, step=0.001):
    """Depth and class of one pixel: walk along its ray a millimeter at a time until
    something is in the way.
    """
    camera = room.camera
    across, down = (2 * (column + 0.5) / width - 1) * camera.half[0], (2 * (row + 0.5) / height - 1) * camera.half[1]
    ray = np.array(camera.forward) + across * np.array(camera.right) + down * np.array(camera.down)
    depths = np.arange(0.1, 11, step)
    points = np.array(camera.eye) + depths[:, None] * ray
    outside = (points < 0) | (points > room.size)
    first = int(np.argmax(outside.any(axis=1)))
    axis = int(np.argmax(outside[first]))
    face = 2 * axis + int(ray[axis] > 0)
    name = {4: "floor", 5: "ceiling"}.get(face, "wall")
    place = np.delete(points[first], axis)
    for panel in room.panels:
        offset = (place - panel.center) / panel.half
        if panel.face == face and ((offset**2).sum() < 1 if panel.round else (abs(offset) < 1).all()):
            name = panel.kind
    for thing in room.things:
        cosine, sine = thing.frame.facing
        local = (points - thing.frame.position) @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        for part in thing.piece.parts:
            met = contains(part.shape, local)
            if met.any() and np.argmax(met) < first:
                first, name = int(np.argmax(met)), thing.piece.kind
    return depths[first], name


def test_depth_and_classes_come_from_the_same_hit(scenes):
    draw, seen = np.random.default_rng(0), set()
    for scene in scenes[:18]:
        for row, column in draw.integers(0, SMALL, (12, 2)):
            depth, name = walk(scene.room, row, column, *SMALL)
            assert CLASSES[scene.segmentation_map[row, column]] == name
            assert abs(scene.depth[row, column] - depth) < 0.0025
            seen.add(name)
    assert len(seen) >= 11  # the rays met nearly everything there is


def test_depth_is_planar(scenes):
    """Rays that measure one along the optical axis, times the depth, end at a height of
    zero where there is floor.
    """
    for scene in scenes[:6]:
        camera, (height, width) = scene.room.camera, SMALL
        floor = scene.segmentation_map == CLASSES.index("floor")
        down = (2 * (np.arange(height) + 0.5) / height - 1)[:, None] * camera.half[1]
        across = (2 * (np.arange(width) + 0.5) / width - 1)[None] * camera.half[0]
        fall = camera.forward[2] + across * camera.right[2] + down * camera.down[2]
        assert np.allclose((camera.eye[2] + scene.depth * fall)[floor], 0, atol=1e-4)


def test_depth_is_valid_everywhere(scenes):
    depth = np.stack([scene.depth for scene in scenes])
    assert depth.min() >= 0.3
    assert depth.max() <= 10
    assert depth.max() > 5  # rooms, not close-ups


def test_boxes_hug_their_instances(scenes):
    for scene in scenes:
        assert set(np.unique(scene.instances)) - {0} == set(range(1, len(scene.boxes) + 1))
        for number, (left, top, right, bottom) in enumerate(scene.boxes.astype(int), start=1):
            mask = scene.instances == number
            assert mask[top:bottom, left:right].sum() == mask.sum()
            assert mask[top].any()
            assert mask[bottom - 1].any()
            assert mask[:, left].any()
            assert mask[:, right - 1].any()


def test_instances_agree_with_the_classes(scenes):
    things = [CLASSES.index(kind) for kind in KINDS]
    for scene in scenes:
        assert np.array_equal(scene.instances > 0, np.isin(scene.segmentation_map, things))
        for number, label in enumerate(scene.box_labels, start=1):
            assert (scene.segmentation_map[scene.instances == number] == label).all()
    assert max(len(scene.boxes) for scene in scenes) > 2


def test_the_label_is_the_largest_thing_and_near_the_middle(scenes):
    for scene in scenes:
        count = np.bincount(scene.segmentation_map.ravel(), minlength=len(CLASSES))[-len(KINDS) :]
        assert count[scene.label] > 0.03 * scene.segmentation_map.size
        assert count[scene.label] >= 1.4 * np.delete(count, scene.label).max()
        columns = np.nonzero(scene.segmentation_map == CLASSES.index(KINDS[scene.label]))[1]
        assert 0.25 < (columns.mean() + 0.5) / SMALL[1] < 0.75


def test_labels_are_balanced(scenes):
    assert np.bincount([scene.label for scene in scenes]).tolist() == [10] * len(KINDS)


def test_every_class_appears_often_and_large(scenes):
    shown = np.stack([np.bincount(scene.segmentation_map.ravel(), minlength=len(CLASSES)) for scene in scenes])
    assert ((shown > 0.005 * shown[0].sum()).mean(axis=0) > 0.12).all()
    assert (shown.sum(axis=0) / shown.sum() > 0.008).all()


def test_things_stand_inside_the_room_and_do_not_touch(scenes):
    for scene in scenes:
        eye, size = scene.room.camera.eye, scene.room.size
        plans = []
        for thing in scene.room.things:
            (x, y, z), (cosine, sine), half = thing.frame.position, thing.frame.facing, thing.piece.half
            wide, deep = abs(cosine) * half[0] + abs(sine) * half[1], abs(sine) * half[0] + abs(cosine) * half[1]
            assert z == 0
            assert wide <= x <= size[0] - wide
            assert deep <= y <= size[1] - deep
            plans.append((x, y, math.hypot(*half)))
        for number, (x, y, radius) in enumerate(plans):
            assert all(math.hypot(x - a, y - b) > radius + other for a, b, other in plans[:number])
            assert math.hypot(x - eye[0], y - eye[1]) > radius + 0.3
    assert sum(len(scene.room.things) for scene in scenes) > 1.3 * len(scenes)


def test_pictures_are_neither_dark_nor_blown_out(scenes):
    brightness = np.array([scene.image.mean() for scene in scenes])
    assert brightness.min() > 60
    assert brightness.max() < 200
    assert np.mean([(scene.image == 255).all(axis=2).mean() for scene in scenes]) < 0.1


def test_shadows_fall(scenes):
    """Things take light away from the floor around them, and never add any."""
    shaded_parts = []
    for scene in scenes[:12]:
        full, empty = Stage(scene.room), Stage(replace(scene.room, things=()))
        with np.errstate(invalid="ignore", divide="ignore"):
            hits = full.trace(*image_plane(scene.room, *SMALL))
            points = hits.points[:, hits.surface == FLOOR]
            up = np.tile(np.float32([[0], [0], [1]]), points.shape[1])
            shaded, unshaded = illuminate(full, points, up), illuminate(empty, points, up)
        assert (shaded <= unshaded).all()
        shaded_parts.append((shaded < 0.75 * unshaded).mean())
    assert min(shaded_parts) > 0
    assert np.mean(shaded_parts) > 0.02


@pytest.mark.parametrize("size", [(32, 32), (33, 97), (128, 40), (32, 320), (320, 32)])
def test_any_size_works(size):
    data = Scenes("val", target="depth", length=6, size=size)
    for index in range(6):
        scene = data.scene(index)
        assert scene.image.shape == (*size, 3)
        assert 0.3 <= scene.depth.min() <= scene.depth.max() <= 10
        assert (scene.segmentation_map == CLASSES.index(KINDS[scene.label])).mean() > 0.01


@pytest.mark.parametrize(("target", "num_classes"), [("segmentation", 13), ("classification", 6)])
def test_every_class_has_a_name_and_a_color_of_its_own(target, num_classes):
    info = scene_labels(target)
    assert len(set(info.names)) == len(set(info.palette)) == info.num_classes == num_classes


def test_a_kind_of_thing_has_one_name_and_color_in_every_task():
    things, pixels = scene_labels("classification"), scene_labels("segmentation")
    colors = dict(zip(pixels.names, pixels.palette, strict=True))
    assert [colors[name] for name in things.names] == list(things.palette)


@pytest.mark.parametrize("target", ["segmentation", "classification"])
def test_the_configuration_counts_the_classes_of_the_scenes(target):
    node = OmegaConf.load(config_dir() / f"data/scenes/{target}.yaml").labels
    assert instantiate(node) == scene_labels(target)
    assert node.num_classes == scene_labels(target).num_classes


def test_several_targets_come_by_name():
    sample = Scenes("val", target=["segmentation", "depth"], length=20, size=SMALL)[3]
    for name in ("segmentation", "depth"):
        np.testing.assert_array_equal(
            sample["target"].pop(name), Scenes("val", target=name, length=20, size=SMALL)[3]["target"]
        )
    assert not sample["target"]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"split": "test"}, "train, val"),
        ({"target": "normals"}, "segmentation, depth, classification"),
        ({"target": ["depth", "normals"]}, "segmentation, depth, classification"),
        ({"target": []}, "segmentation, depth, classification"),
        ({"size": (31, 64)}, "at least 32"),
        ({"length": 0}, "length=1 or more"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_an_option_without_sense_is_refused_with_the_way_out(wrong, hint):
    arguments = {"split": "train", "target": "depth", "length": 4, "size": SMALL} | wrong
    with pytest.raises(UserError, match=hint):
        Scenes(arguments.pop("split"), **arguments)


def test_an_index_outside_the_data_set_is_refused():
    data = Scenes("train", target="depth", length=4, size=SMALL)
    with pytest.raises(IndexError, match="0 to 3"):
        data[4]
    with pytest.raises(UserError, match="0 to 3"):
        data[-1]
