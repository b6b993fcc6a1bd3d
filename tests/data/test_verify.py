"""`pvtseg verify` finds what would go wrong, names the file, and says what to do."""

import json
import shutil
import sys

import numpy as np
import pytest
from made import make_ade20k, make_imagenet, make_nyu_depth, noise, write
from PIL import Image

from pvtseg.build import compose
from pvtseg.cli.verbs import main
from pvtseg.cli.verify import SHOWN, draw_samples, verify
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify import KINDS, Expected, SplitStatistics, check_dataset, class_weights, judge
from pvtseg.errors import UserError
from pvtseg.losses.class_weights import measured_weights, weights_file
from pvtseg.tasks.classification import ClassificationVisualizer

CLASSES = ["ground", "sky", "sea"]


def mask(*values):
    """Stripes of the values, 12 x 16."""
    return np.repeat(np.array(values, np.uint8), 192 // len(values)).reshape(12, 16)


@pytest.fixture
def stripes(tmp_path):
    """Six images with three classes, in the layout of data=folder, without a fault."""
    for index in range(6):
        split = "val" if index > 3 else "train"
        write(tmp_path / f"data/images/{split}/{index}.jpg", noise(index, 12, 16))
        write(tmp_path / f"data/masks/{split}/{index}.png", mask(0, 1, 2, 255))
    return tmp_path / "data"


@pytest.fixture
def depths(tmp_path):
    """Six images with depth in millimeters, in the layout of data=folder, without a fault."""
    for index in range(6):
        split = "val" if index > 3 else "train"
        write(tmp_path / f"data/images/{split}/{index}.jpg", noise(index, 12, 16))
        write(
            tmp_path / f"data/depth/{split}/{index}.png", np.linspace(900, 5000, 192).reshape(12, 16).astype(np.uint16)
        )
    return tmp_path / "data"


def verified(root, *overrides):
    """`pvtseg verify` in this process."""
    run = root.parent / "run"
    fixed = [f"data.root={root}", f"hydra.run.dir={run}", "data.batch_size=1", "verify.num_workers=0"]
    verify(compose(*fixed, *overrides, name="verify"))


def examined(root, *overrides):
    """The report of `pvtseg verify`, and the line that it ends with where it fails."""
    error = None
    try:
        verified(root, *overrides)
    except UserError as raised:
        error = str(raised)
    return json.loads((root.parent / "run/report.json").read_text()), error


def segmentation(root, *overrides):
    return examined(root, "task=segmentation", "data=folder", f"data.labels.names=[{','.join(CLASSES)}]", *overrides)


def depth(root, *overrides):
    return examined(root, "task=depth", "data=folder", *overrides)


def test_nothing_is_found_where_nothing_is_wrong(stripes):
    report, error = segmentation(stripes)
    assert error is None
    assert report["findings"] == []
    assert report["splits"]["train"]["images"] == 4
    assert report["splits"]["train"]["labeled_fraction"] == 0.75


def test_nothing_is_found_in_depths_where_nothing_is_wrong(depths):
    report, error = depth(depths)
    assert error is None
    assert report["findings"] == []
    assert report["splits"]["val"]["nearest"] == pytest.approx(0.9)
    assert report["splits"]["val"]["farthest"] == pytest.approx(5.0)
    assert report["splits"]["val"]["valid_fraction"] == 1


# -- the ten defects -----------------------------------------------------------------------------------------------


def truncate(root):
    file = root / "images/train/1.jpg"
    file.write_bytes(file.read_bytes()[:-120])


def lose_a_mask(root):
    (root / "masks/train/1.png").unlink()


def change_a_size(root):
    write(root / "masks/train/1.png", mask(0, 1, 2, 255)[:10])


def invent_a_label(root):
    write(root / "masks/train/1.png", mask(0, 1, 2, 7))


def save_with_a_palette(root):
    colors = Image.fromarray(np.array([[200, 0, 0], [0, 90, 0], [0, 0, 70]], np.uint8)[mask(2, 1, 0)])
    colors.quantize(3).save(root / "masks/train/1.png")


def save_in_colors(root):
    write(root / "masks/train/1.png", np.array([[200, 0, 0], [0, 90, 0], [0, 0, 70]], np.uint8)[mask(2, 1, 0)])


def save_in_meters(root):
    write(root / "depth/train/1.png", np.linspace(1, 5, 192).reshape(12, 16).astype(np.uint16))


def copy_into_val(root):
    shutil.copy(root / "images/train/1.jpg", root / "images/val/9.jpg")
    shutil.copy(root / "masks/train/1.png", root / "masks/val/9.png")


def take_a_class_away(root):
    for file in (root / "masks/train").iterdir():
        write(file, mask(0, 2, 2, 255))


def garble(root):
    (root / "masks/train/1.png").write_bytes(b"no picture")


DEFECTS = {
    "a truncated JPEG": (segmentation, truncate, "unreadable", "images/train/1.jpg", "restore the file"),
    "a missing mask": (segmentation, lose_a_mask, "no_label", "images/train/1.jpg", "add the label"),
    "a size mismatch": (segmentation, change_a_size, "size", "masks/train/1.png is 16x10", "write the pair again"),
    "a label out of range": (
        segmentation,
        invent_a_label,
        "label",
        "masks/train/1.png holds 7",
        "data.train.label_map",
    ),
    "a palette image": (segmentation, save_with_a_palette, "palette", "masks/train/1.png", "write all masks alike"),
    "a mask in colors": (segmentation, save_in_colors, "palette", "masks/train/1.png", "write the masks again"),
    "depth in meters": (depth, save_in_meters, "depth", "depth/train/1.png", "write it again in the unit"),
    "a duplicate": (segmentation, copy_into_val, "duplicate", "images/val/9.jpg of val", "take one of them out"),
    "an empty class": (segmentation, take_a_class_away, "empty_class", "'sky'", "add images that show them"),
    "an unreadable file": (segmentation, garble, "unreadable", "masks/train/1.png", "restore the file"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found_with_its_file_and_way_out(defect, request):
    check, plant, kind, file, way_out = DEFECTS[defect]
    root = request.getfixturevalue("depths" if check is depth else "stripes")
    plant(root)
    report, error = check(root)
    (finding,) = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert finding["kind"] == kind
    assert file in finding["text"]
    assert way_out in finding["text"]
    assert "training would go wrong: 1 finding" in error
    assert check(root, f"verify.accept=[{kind}]")[1] is None


def test_a_wrong_count_is_found_with_what_is_published(tmp_path):
    root = make_ade20k(tmp_path / "data", train=5)
    counts = "origin.counts={train: 6, val: 3}"
    report, error = examined(root, "data=ade20k", counts)
    (finding,) = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert finding["kind"] == "count"
    assert "train has 5 images, published are 6; fetch and unpack the data set again" in finding["text"]
    assert error is not None
    published = examined(root, "data=ade20k")[0]["findings"]
    assert [finding["text"].split(";")[0] for finding in published if finding["kind"] == "count"] == [
        "train has 5 images, published are 20,210",
        "val has 3 images, published are 2,000",
    ]


def test_many_defects_are_all_found_at_once(stripes):
    for plant in (truncate, copy_into_val):
        plant(stripes)
    (stripes / "masks/train/0.png").unlink()
    write(stripes / "masks/train/2.png", mask(0, 1, 2, 7))
    write(stripes / "masks/val/4.png", mask(0, 1, 2, 255)[:10])
    kinds = {finding["kind"] for finding in segmentation(stripes)[0]["findings"] if finding["severity"] == "error"}
    assert kinds == {"unreadable", "no_label", "label", "size"}  # a truncated image cannot be seen to be a copy


# -- what else it sees ---------------------------------------------------------------------------------------------


def test_masks_of_0_and_255_without_a_label_map_are_pointed_out(stripes):
    for file in stripes.glob("masks/*/*.png"):
        write(file, mask(0, 255))
    two = ["task=segmentation", "data=folder", "data.labels.names=[ground,sky]"]
    report, error = examined(stripes, *two)
    assert "set 'data.train.label_map={0: 0, 255: 1}'" in report["findings"][0]["text"]
    assert error is not None
    report, error = examined(stripes, *two, "data.train.label_map={0: 0, 255: 1}")
    assert (report["findings"], error) == ([], None)


def test_masks_that_all_share_one_palette_are_fine(stripes):
    for file in stripes.glob("masks/*/*.png"):
        image = Image.fromarray(mask(0, 1, 2)).convert("P")
        image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
        image.save(file)
    assert segmentation(stripes)[1] is None


def test_images_of_several_sizes_cannot_be_evaluated_together(stripes):
    write(stripes / "images/val/7.jpg", noise(7, 24, 16))
    write(stripes / "masks/val/7.png", np.repeat(mask(0, 1, 2, 255), 2, axis=0))
    assert segmentation(stripes)[1] is None
    assert "use data.eval_batch_size=1" in segmentation(stripes, "data.eval_batch_size=2")[0]["findings"][0]["text"]


def test_an_impossible_scale_is_found_in_every_file(depths):
    report, _ = depth(depths, "data.train.scale=1.0")
    assert len(report["findings"]) == 6
    assert "outside 0.001..10.0 m" in report["findings"][0]["text"]


def test_a_split_that_cannot_be_opened_does_not_hide_the_other(stripes):
    shutil.rmtree(stripes / "masks/val")
    write(stripes / "masks/train/2.png", mask(0, 1, 2, 7))
    kinds = [finding["kind"] for finding in segmentation(stripes)[0]["findings"]]
    assert sorted(kinds) == ["label", "layout"]


def test_the_weights_are_in_the_runs_folder_and_where_the_loss_looks_for_them(stripes):
    write(stripes / "masks/train/0.png", mask(0, 0, 0, 1))
    segmentation(stripes)
    content = json.loads((stripes.parent / "run/class_weights.json").read_text())
    assert content == json.loads(weights_file(stripes).read_text())
    assert content["names"] == CLASSES
    # Four masks of 192 pixels: three of 48 each of every class, one of 144 of ground
    # and 48 of sky.
    labeled = 3 * 144 + 192
    np.testing.assert_allclose(content["frequency"], [288 / labeled, 192 / labeled, 144 / labeled])
    local = np.array([288 / labeled, 192 / labeled, 144 / (3 * 144)])
    np.testing.assert_allclose(content["weights"], np.median(local) / local)
    assert measured_weights(f"{stripes}/", CLASSES) == content["weights"]


def test_nothing_is_written_beside_the_images(stripes):
    before = sorted(stripes.rglob("*"))
    segmentation(stripes)
    assert sorted(stripes.rglob("*")) == before


def test_several_targets_are_checked_one_by_one():
    class Both:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            depth = np.full((4, 4), 2 + index, np.float32)
            return {
                "image": noise(index, 4, 4),
                "target": {"segmentation": np.full((4, 4), index), "depth": depth},
                "name": "",
            }

    split = SplitStatistics("train", count=2)
    for check in check_dataset(Both(), "train", labels=ClassInfo(["a", "b"]), depth=DepthRange(1, 10), num_workers=0):
        split.add(check)
    assert not split.findings
    assert split.class_pixels.tolist() == [16, 16]
    assert (split.nearest, split.farthest) == (2, 3)


def test_a_check_of_some_of_the_images_says_so(stripes, capsys):
    report, error = segmentation(stripes, "verify.limit=3")
    assert error is None
    assert (report["splits"]["train"]["images"], report["splits"]["train"]["checked"]) == (4, 3)
    output = capsys.readouterr().out
    assert "checked 3 of the 4 images of train only; verify.limit=null checks all of them" in output
    assert "images of val only" not in output


def test_rendered_scenes_are_not_all_checked():
    assert compose("data=scenes", name="verify").verify.limit == 2048
    assert compose("data=scenes", "verify.limit=null", name="verify").verify.limit is None
    assert compose("data=ade20k", name="verify").verify.limit is None


def test_the_drawn_samples_are_of_every_kind_of_an_ordered_data_set(tmp_path):
    """The kinds take turns, so samples at even distances would be of two kinds only."""

    class Turns:
        def __len__(self):
            return 16384

        def __getitem__(self, index):
            seen.append(index % 6)
            return {"image": noise(index, 8, 8), "target": index % 6}

    seen = []
    draw_samples(Turns(), range(16384), ClassificationVisualizer("abcdef"), tmp_path / "samples.png")
    assert set(seen) == set(range(6))
    assert len(seen) == SHOWN


def test_samples_that_could_be_read_are_drawn(stripes):
    truncate(stripes)
    segmentation(stripes)
    assert Image.open(stripes.parent / "run/samples.png").width > 600


def test_a_class_folder_without_images_is_an_empty_class(tmp_path):
    root = make_imagenet(tmp_path / "data", num_classes=3)
    names = sorted(folder.name for folder in (root / "train").iterdir())
    for file in (root / "train" / names[1]).iterdir():
        file.unlink()
    report, error = examined(root, "task=classification", "data=folder")
    assert f"1 of 3 classes occur in no label of train: '{names[1]}'" in report["findings"][0]["text"]
    assert error is not None


def test_a_missing_file_of_nyu_depth_is_found(tmp_path):
    root = make_nyu_depth(tmp_path / "nyu")
    report, error = examined(root, "task=depth", "data=nyu_depth", "origin.counts={train: 3, val: 2}")
    assert (report["findings"], error) == ([], None)
    (root / "sync/kitchen_0001b/sync_depth_00001.png").unlink()
    report, error = examined(root, "task=depth", "data=nyu_depth", "origin.counts={train: 3, val: 2}")
    assert "sync_depth_00001.png cannot be read as a depth map: there is no such file" in report["findings"][0]["text"]


def test_nothing_is_found_in_rendered_scenes(tmp_path):
    small = ["data.train.size=[32,48]", "data.train.length=24", "data.val.length=12"]
    verify(compose("task=depth", f"hydra.run.dir={tmp_path}", "verify.num_workers=0", *small, name="verify"))
    assert json.loads((tmp_path / "report.json").read_text())["findings"] == []


def test_mean_and_deviation_are_those_of_all_pixels(stripes):
    report, _ = segmentation(stripes)
    pixels = np.stack([np.array(Image.open(stripes / f"images/train/{index}.jpg")) for index in range(4)]) / 255
    np.testing.assert_allclose(report["splits"]["train"]["mean"], pixels.mean((0, 1, 2)))
    np.testing.assert_allclose(report["splits"]["train"]["deviation"], pixels.std((0, 1, 2)))


class Broken:
    """A data set from outside, with bugs."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == 0:
            raise KeyError("annotation")
        image = noise(index, 4, 4) if index == 1 else np.zeros((4, 4), np.float32)
        return {"image": image, "target": np.full((4, 4), 9), "name": str(index)}


def test_a_data_set_from_outside_is_checked_too():
    labels = ClassInfo(CLASSES)
    split = SplitStatistics("train", count=3)
    for check in check_dataset(Broken(), "train", labels=labels, num_workers=0):
        split.add(check)
    texts = [finding.text for finding in split.findings]
    assert "train item 0: KeyError" in texts[0]
    assert "1 has labels [9]; expected 0..2" in texts[1]
    assert "train item 2 is float32 (4, 4)" in texts[-1]
    assert {finding.kind for finding in judge({"train": split}, Expected())} <= set(KINDS)


def test_weights_of_labels_that_were_never_seen_are_one():
    assert class_weights(SplitStatistics("train"), ClassInfo(CLASSES))["weights"] == [1, 1, 1]


def test_a_kind_that_does_not_exist_is_not_accepted(stripes):
    with pytest.raises(UserError, match=r"verify\.accept names copies, which is no kind"):
        verified(stripes, "data=folder", "data.labels.num_classes=3", "verify.accept=[copies]")


def test_the_command_leaves_with_a_status(stripes, monkeypatch, capsys, as_a_fresh_process):
    truncate(stripes)
    names = "data.labels.names=[ground,sky,sea]"
    words = [
        "task=segmentation",
        "data=folder",
        f"data.root={stripes}",
        names,
        "data.batch_size=1",
        "verify.num_workers=0",
    ]
    monkeypatch.setattr(sys, "argv", ["pvtseg", "verify", *words, f"hydra.run.dir={stripes.parent}/run"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("error: training would go wrong: 1 finding")
