import logging
import shlex

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from pvtseg.data.folder import ClassFolder, DepthFolder, SegmentationFolder
from pvtseg.data.folder.classification import discover_classes
from pvtseg.data.folder.segmentation import LabelValues
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.errors import UserError
from pvtseg.paths import config_dir

TWO = ClassInfo(["ground", "sky"])
INDOORS = DepthRange(0.1, 10)
CAMVID = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
NOISE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_pairs(root, names, raw, *, targets="masks/train", suffix=".png"):
    for name in names:
        write(root / "images/train" / f"{name}.jpg", NOISE)
        write(root / targets / f"{name}{suffix}", np.array(raw))


def mask_of(value, dtype=np.uint8):
    return np.full((4, 6), value, dtype)


def test_images_are_paired_with_masks_in_sorted_order(tmp_path):
    write_pairs(tmp_path, ["b", "town/a", "a"], mask_of(1))
    data = SegmentationFolder(tmp_path, labels=TWO)
    assert [data[index]["name"] for index in range(len(data))] == ["a", "b", "town/a"]
    sample = data[0]
    assert sample["image"].shape == (4, 6, 3)
    assert sample["image"].dtype == np.uint8
    np.testing.assert_array_equal(sample["target"], 1)


def test_suffixes_are_everything_after_the_name_in_any_case(tmp_path):
    write(tmp_path / "images/train/aachen/0_leftImg8bit.PNG", NOISE)
    write(tmp_path / "masks/train/aachen/0_gtFine_labelIds.png", mask_of(1))
    write(tmp_path / "masks/train/aachen/0_gtFine_color.png", NOISE)
    data = SegmentationFolder(
        tmp_path, labels=TWO, image_suffixes=["_leftImg8bit.png"], mask_suffix="_gtFine_labelIds.png"
    )
    assert data[0]["name"] == "aachen/0"


def test_images_and_masks_may_share_a_folder(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.png", NOISE)
        write(tmp_path / f"{name}_mask.png", mask_of(0))
    data = SegmentationFolder(tmp_path, labels=TWO, images=".", masks=".", mask_suffix="_mask.png")
    assert [data[index]["name"] for index in range(len(data))] == ["a", "b"]


def test_hidden_files_are_left_out(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(0))
    write(tmp_path / "images/train/.thumbnails/a.jpg", NOISE)
    (tmp_path / "images/train/._a.jpg").touch()
    assert len(SegmentationFolder(tmp_path, labels=TWO)) == 1


def test_without_a_label_map_values_are_classes_and_ignore_index_is_ignored(tmp_path):
    write_pairs(tmp_path, ["a"], np.array([[0, 1, 255, 1, 0, 0]] * 4, np.uint8))
    target = SegmentationFolder(tmp_path, labels=TWO)[0]["target"]
    np.testing.assert_array_equal(target[0], [0, 1, 255, 1, 0, 0])


@pytest.mark.parametrize("label_map", [{0: "ignore", 7: 1, 300: 0}, {"0": "ignore", "7": "1", "300": "0"}])
def test_a_label_map_says_what_each_value_means(tmp_path, label_map):
    write_pairs(tmp_path, ["a"], np.array([[0, 7, 300, 7, 0, 300]] * 4, np.uint16))
    target = SegmentationFolder(tmp_path, labels=TWO, label_map=label_map)[0]["target"]
    np.testing.assert_array_equal(target[0], [255, 1, 0, 1, 255, 0])
    assert target.dtype == np.uint8


def test_a_negative_ignore_index_fits_into_the_target(tmp_path):
    write_pairs(tmp_path, ["a"], np.array([[0, 1, 9, 9, 0, 0]] * 4, np.uint8))
    labels = ClassInfo(num_classes=2, ignore_index=-100)
    target = SegmentationFolder(tmp_path, labels=labels, label_map={0: 0, 1: 1, 9: "ignore"})[0]["target"]
    np.testing.assert_array_equal(target[0], [0, 1, -100, -100, 0, 0])


def test_hundreds_of_classes_fit_into_the_target(tmp_path):
    write_pairs(tmp_path, ["a"], np.array([[0, 299, 256, 255, 0, 0]] * 4, np.uint16))
    target = SegmentationFolder(tmp_path, labels=ClassInfo(num_classes=300, ignore_index=-1))[0]["target"]
    np.testing.assert_array_equal(target[0], [0, 299, 256, 255, 0, 0])


@pytest.mark.parametrize(("value", "dtype"), [(2, np.uint8), (254, np.uint8), (4000, np.uint16)])
@pytest.mark.parametrize("label_map", [None, {0: 0, 1: 1}])
def test_a_value_without_meaning_is_reported_with_file_count_and_option(tmp_path, value, dtype, label_map):
    raw = mask_of(0, dtype)
    raw[1, :5] = value
    write_pairs(tmp_path, ["a"], raw)
    with pytest.raises(
        UserError, match=rf"a\.png holds {value} \(5 pixels\); known are 0\.\.1.*data\.train\.label_map.*names"
    ):
        SegmentationFolder(tmp_path, labels=TWO, label_map=label_map)[0]


@pytest.mark.parametrize("label_map", [None, {0: 0, 1: 1}])
def test_the_label_map_of_the_message_can_be_pasted_into_a_shell(tmp_path, label_map):
    write_pairs(tmp_path, ["a"], np.array([[0, 1, 7, 7, 7, 7]] * 4, np.uint8))
    with pytest.raises(UserError) as refused:
        SegmentationFolder(tmp_path, labels=TWO, label_map=label_map)[0]
    (override,) = [word.rstrip(",") for word in shlex.split(str(refused.value)) if "data.train.label_map={" in word]
    given = [] if label_map is None else ["data.train.label_map={0: 0, 1: 1}"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("train", ["data=folder", "data.root=/nowhere", "paths.run=/nowhere", *given, override])
    target = SegmentationFolder(tmp_path, labels=TWO, label_map=OmegaConf.to_container(config.data.train.label_map))[0][
        "target"
    ]
    np.testing.assert_array_equal(target[0], [0, 1, 255, 255, 255, 255])


def test_reduce_zero_label_ignores_0_and_counts_from_1(tmp_path):
    write_pairs(tmp_path, ["a"], np.array([[0, 1, 2, 255, 1, 0]] * 4, np.uint8))
    target = SegmentationFolder(tmp_path, labels=TWO, reduce_zero_label=True)[0]["target"]
    np.testing.assert_array_equal(target[0], [255, 0, 1, 255, 0, 255])


def test_reduce_zero_label_is_the_label_map_of_every_value_minus_one():
    labels = ClassInfo(num_classes=150)
    raw = np.arange(151, dtype=np.uint8)[None]
    by_map = LabelValues(labels, {0: "ignore", **{value: value - 1 for value in range(1, 151)}})
    reduced = LabelValues(labels, reduce_zero_label=True)
    np.testing.assert_array_equal(reduced.to_classes(raw, "a.png"), by_map.to_classes(raw, "a.png"))
    with pytest.raises(UserError, match="turn data.train.reduce_zero_label off"):
        reduced.to_classes(np.full((1, 1), 151, np.uint8), "a.png")
    with pytest.raises(UserError, match="keep one"):
        LabelValues(labels, {0: 0}, reduce_zero_label=True)


@pytest.mark.parametrize(("data", "option"), [(SegmentationFolder, "masks"), (DepthFolder, "depths")])
def test_messages_name_the_options_of_their_split(tmp_path, data, option):
    facts = {"labels": TWO} if data is SegmentationFolder else {"range": INDOORS}
    write_pairs(tmp_path, ["a"], mask_of(1), targets="targets")
    with pytest.raises(
        UserError, match=rf"^data\.val\.{option}=nowhere is not there.*: set data\.val\.{option} to one"
    ):
        data(tmp_path, **facts, **{option: "nowhere"}, config_key="data.val")
    with pytest.raises(UserError, match=r"^data\.val\.images=nowhere is not there"):
        data(tmp_path, **facts, images="nowhere", **{option: "targets"}, config_key="data.val")


def test_images_without_a_target_are_listed_where_that_is_no_error(tmp_path):
    write_pairs(tmp_path, ["a", "b"], mask_of(1))
    (tmp_path / "masks/train/a.png").unlink()
    data = SegmentationFolder(tmp_path, labels=TWO, strict=False)
    assert data.unpaired == [f"{tmp_path}/images/train/a.jpg"]
    assert data.files(0) == {"image": f"{tmp_path}/images/train/b.jpg", "target": f"{tmp_path}/masks/train/b.png"}


def test_a_complete_label_map_does_not_spare_ignore_index(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(255))
    with pytest.raises(UserError, match=r"holds 255 \(24 pixels\)"):
        SegmentationFolder(tmp_path, labels=TWO, label_map={0: 0, 1: 1})[0]


@pytest.mark.parametrize(
    ("label_map", "message"),
    [
        ({0: 0, 1: 2}, r"data\.train\.label_map sends 1 to 2; use ignore or a class in 0\.\.1"),
        ({0: -1}, r"sends 0 to -1"),
        ({0: "void"}, r"sends 0 to 'void'"),
        ({0: True}, r"sends 0 to True"),
        ({"road": 0}, r"lists the raw value 'road'"),
        ({-1: 0}, r"lists the raw value -1"),
        ({1: 0, "1": 1}, r"lists the raw value 1 twice"),
        ({}, r"data\.train\.label_map is empty"),
    ],
)
def test_a_label_map_that_leads_nowhere_is_refused_at_once(tmp_path, label_map, message):
    write_pairs(tmp_path, ["a"], mask_of(0))
    with pytest.raises(UserError, match=message):
        SegmentationFolder(tmp_path, labels=TWO, label_map=label_map)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(UserError, match=r"data\.root=.*nowhere is not there"):
        SegmentationFolder(tmp_path / "nowhere", labels=TWO)


def test_a_missing_folder_is_named_with_what_is_there(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(0), targets="annotations/train")
    with pytest.raises(
        UserError,
        match=r"data\.train\.masks=masks/train is not there.*holds annotations, images: set data\.train\.masks to",
    ):
        SegmentationFolder(tmp_path, labels=TWO)


def test_a_folder_without_fitting_files_is_named(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(0))
    with pytest.raises(
        UserError, match=r"masks/train holds no file that ends in _labels\.png.*set data\.train\.mask_suffix\."
    ):
        SegmentationFolder(tmp_path, labels=TWO, mask_suffix="_labels.png")


def test_images_without_masks_are_counted_and_named(tmp_path):
    write_pairs(tmp_path, ["a", "b", "c", "d", "e"], mask_of(0))
    for name in "abcd":
        (tmp_path / f"masks/train/{name}.png").unlink()
    with pytest.raises(UserError, match=r"4 of 5 images have no partner .* such as a, b, c, \.\.\. .*mask_suffix"):
        SegmentationFolder(tmp_path, labels=TWO)


def test_masks_without_images_are_only_mentioned(tmp_path, caplog):
    write_pairs(tmp_path, ["a", "b"], mask_of(0))
    (tmp_path / "images/train/b.jpg").unlink()
    with caplog.at_level(logging.WARNING):
        assert len(SegmentationFolder(tmp_path, labels=TWO)) == 1
    assert "1 of the masks" in caplog.text
    assert "such as b" in caplog.text


def test_two_images_of_one_name_are_refused(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(0))
    write(tmp_path / "images/train/a.png", NOISE)
    with pytest.raises(UserError, match=r"a\.jpg and .*a\.png share the name a"):
        SegmentationFolder(tmp_path, labels=TWO)


def test_an_image_and_a_mask_of_different_sizes_are_named(tmp_path):
    write_pairs(tmp_path, ["a"], np.zeros((3, 6), np.uint8))
    with pytest.raises(UserError, match=r"a\.jpg is 6x4 but .*a\.png is 6x3"):
        SegmentationFolder(tmp_path, labels=TWO)[0]


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(0))
    (tmp_path / "images/train/a.jpg").write_text("gone")
    with pytest.raises(UserError, match=r"a\.jpg cannot be read as an image"):
        SegmentationFolder(tmp_path, labels=TWO)[0]


def test_splits_share_the_images_and_stay_when_images_are_added(tmp_path):
    names = [f"{index:03}" for index in range(60)]
    write_pairs(tmp_path, names[:40], mask_of(0))

    def split(name):
        data = SegmentationFolder(tmp_path, labels=TWO, split=name, val_fraction=0.25)
        return [item.name for item in data.pairs]

    train, val = split("train"), split("val")
    assert sorted(train + val) == names[:40]
    assert 3 <= len(val) <= 18
    write_pairs(tmp_path, names[40:], mask_of(0))
    assert set(val) <= set(split("val"))
    assert set(train) <= set(split("train"))


def test_an_empty_split_is_refused(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(0))
    with pytest.raises(
        UserError, match=r"data\.train\.split=val with data\.train\.val_fraction=1e-09 holds none of the 1 images"
    ):
        SegmentationFolder(tmp_path, labels=TWO, split="val", val_fraction=1e-9)
    with pytest.raises(UserError, match=r"data\.train\.split is 'test'; use all, train or val"):
        SegmentationFolder(tmp_path, labels=TWO, split="test")
    with pytest.raises(UserError, match=r"val_fraction is 10"):
        SegmentationFolder(tmp_path, labels=TWO, split="val", val_fraction=10)


def test_depth_outside_the_range_is_invalid(tmp_path):
    raw = np.array([[0, 50, 1500, 10000, 10001, 65535]] * 4, np.uint16)
    write_pairs(tmp_path, ["a"], raw, targets="depth/train")
    target = DepthFolder(tmp_path, range=INDOORS)[0]["target"]
    assert target.dtype == np.float32
    np.testing.assert_allclose(target[0], [0, 0, 1.5, 10, 0, 0], rtol=1e-6)


def test_a_wrong_scale_is_found_at_once(tmp_path):
    write_pairs(tmp_path, ["a"], mask_of(2500, np.uint16), targets="depth/train")
    with pytest.raises(
        UserError, match=r"a\.png holds 2500\.\.2500 m with data\.train\.scale=1.*set data\.train\.scale"
    ):
        DepthFolder(tmp_path, range=INDOORS, scale=1)
    with pytest.raises(UserError, match=r"data\.train\.scale is 0"):
        DepthFolder(tmp_path, range=INDOORS, scale=0)


def test_a_depth_map_of_another_size_is_named(tmp_path):
    write_pairs(tmp_path, ["a"], np.full((4, 7), 900, np.uint16), targets="depth/train")
    with pytest.raises(UserError, match=r"a\.jpg is 6x4 but .*a\.png is 7x4"):
        DepthFolder(tmp_path, range=INDOORS)[0]


def write_classes(root, **images):
    for name, count in images.items():
        for index in range(count):
            write(root / "train" / name / f"{index}.jpg", NOISE)


def test_folders_are_classes_in_sorted_order(tmp_path):
    write_classes(tmp_path, dog=2, cat=1)
    write(tmp_path / "train/.cache/0.jpg", NOISE)
    data = ClassFolder(tmp_path)
    assert data.labels.names == ("cat", "dog")
    assert [(data[index]["name"], data[index]["target"]) for index in range(len(data))] == [
        ("cat/0", 0),
        ("dog/0", 1),
        ("dog/1", 1),
    ]


def test_names_set_the_order_of_the_classes(tmp_path):
    write_classes(tmp_path, dog=2, cat=1)
    data = ClassFolder(tmp_path, labels=ClassInfo(["dog", "cat"]))
    assert [data[index]["target"] for index in range(3)] == [0, 0, 1]


def test_a_number_of_classes_takes_its_names_from_the_folders(tmp_path):
    write_classes(tmp_path, dog=1, cat=1)
    assert ClassFolder(tmp_path, labels=ClassInfo(num_classes=2)).labels.names == ("cat", "dog")
    with pytest.raises(UserError, match=r"has 2 folders.*data\.labels\.num_classes is 3"):
        ClassFolder(tmp_path, labels=ClassInfo(num_classes=3))


def test_folders_and_names_that_disagree_are_named(tmp_path):
    write_classes(tmp_path, dog=1, cat=1)
    with pytest.raises(UserError, match=r"lacks folders for bird of data\.labels\.names and has others: cat"):
        ClassFolder(tmp_path, labels=ClassInfo(["dog", "bird"]))


def test_a_class_without_images_is_named(tmp_path):
    write_classes(tmp_path, dog=1)
    (tmp_path / "train/cat").mkdir()
    with pytest.raises(UserError, match=r"cat holds no file that ends in .*\.jpg"):
        ClassFolder(tmp_path)


def test_images_without_class_folders_are_refused(tmp_path):
    write(tmp_path / "train/0.jpg", NOISE)
    with pytest.raises(UserError, match=r"train has no folders; sort the images into one folder per class"):
        discover_classes(tmp_path)


@pytest.mark.needs_shared
def test_camvid_is_read_whole(shared):
    labels = ClassInfo(CAMVID)
    label_map = {**{index: index for index in range(11)}, 11: "ignore"}
    train, val = (
        SegmentationFolder(
            shared / "camvid",
            labels=labels,
            images=f"images/{split}",
            masks=f"masks/{split}",
            label_map=label_map,
        )
        for split in ("train", "val")
    )
    assert (len(train), len(val)) == (367, 101)
    sample = train[0]
    raw = np.array(Image.open(shared / f"camvid/masks/train/{sample['name']}.png"))
    np.testing.assert_array_equal(sample["target"], np.where(raw == 11, 255, raw))
    np.testing.assert_array_equal(
        sample["image"], np.array(Image.open(shared / f"camvid/images/train/{sample['name']}.jpg"))
    )


@pytest.mark.needs_shared
def test_camvid_without_its_label_map_is_refused_for_its_void(shared):
    data = SegmentationFolder(shared / "camvid", labels=ClassInfo(num_classes=11))
    with pytest.raises(UserError, match=r"holds 11 \(\d+ pixels\); known are 0\.\.10, 255"):
        data[0]


@pytest.mark.needs_shared
def test_indoor_rgbd_is_read_in_meters(shared):
    data = DepthFolder(shared / "indoor_rgbd", range=INDOORS)
    assert len(data) == 80
    sample = data[0]
    raw = np.array(Image.open(shared / f"indoor_rgbd/depth/train/{sample['name']}.png")).astype(float)
    expected = np.where((raw >= 100) & (raw <= 10000), raw / 1000, 0)
    np.testing.assert_allclose(sample["target"], expected, rtol=1e-6)
    assert (sample["target"] > 0).mean() > 0.5
