"""ADE20K, NYU depth and ImageNet, in the layouts in which they are distributed."""

import shutil

import numpy as np
import pytest
import torch
from made import (
    jpeg,
    make_ade20k,
    make_imagenet,
    make_imagenet_archives,
    make_nyu_depth,
    make_nyu_depth_labelled,
    noise,
    wnid,
)
from PIL import Image

from pvtseg.build import build_data, complete, compose
from pvtseg.cli.app import explain
from pvtseg.cli.evaluate import check_same_classes
from pvtseg.data.folder.segmentation import LabelValues
from pvtseg.data.imagenet import imagenet, imagenet_labels
from pvtseg.data.io import read_mask
from pvtseg.data.nyu_depth import LabeledNyuDepth
from pvtseg.data.target_info import ClassInfo, DepthRange
from pvtseg.data.verify import check_dataset
from pvtseg.errors import UserError
from pvtseg.metrics.segmentation import SegmentationMetrics
from pvtseg.paths import cache_file

INDOORS = DepthRange(0.001, 10)


def composed(*overrides):
    return compose(*overrides, "data.num_workers=0")


def data_of(*overrides):
    return build_data(composed(*overrides))


# -- ADE20K --------------------------------------------------------------------------------------------------------


def test_ade20k_ignores_other_and_counts_its_classes_from_zero(tmp_path):
    data = data_of("data=ade20k", f"data.root={make_ade20k(tmp_path)}", "data.batch_size=2")
    assert (len(data.train), len(data.val)) == (4, 3)
    target = data.train[0]["target"]
    assert set(np.unique(target)) == {255, *range(150)}
    raw = np.array(Image.open(data.train.pairs[0].target))
    np.testing.assert_array_equal(target[raw > 0], raw[raw > 0] - 1)


def test_ade20k_trains_on_crops_and_is_evaluated_at_its_own_sizes(tmp_path):
    data = data_of("data=ade20k", f"data.root={make_ade20k(tmp_path)}", "data.batch_size=1")
    assert data.train_item(0)["image"].shape == (512, 512, 3)
    batch = next(iter(data.val_dataloader()))
    assert batch["target"].shape == (1, 48, 64)
    assert batch["image"].shape[2] % 32 == batch["image"].shape[3] % 32 == 0
    assert min(batch["image"].shape[2:]) == 512


def test_ade20k_is_shown_at_every_ratio_of_the_inference(tmp_path):
    root = f"data.root={make_ade20k(tmp_path)}"
    data = data_of("experiment=segformer_b2_ade20k", "inference=multi_scale_flip", root, "data.batch_size=1")
    batch = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
    shorter = [min(image.shape[2:]) for image in batch["views"]]
    assert shorter == [256, 384, 512, 640, 768, 896]
    assert all(image.shape[:2] == (1, 3) and image.is_floating_point() for image in batch["views"])
    assert min(batch["image"].shape[2:]) == 512
    assert batch["size"] == [(48, 64)]


@pytest.mark.needs_shared
def test_the_names_are_those_of_the_benchmark(shared):
    names = composed("data=ade20k").data.labels.names
    lines = (shared / "ADEChallengeData2016/objectInfo150.txt").read_text().splitlines()[1:]
    synonyms = [{name.strip() for name in line.split("\t")[-1].split(",")} for line in lines]
    assert [name in known for name, known in zip(names, synonyms, strict=True)] == [True] * 150


@pytest.mark.needs_shared
def test_the_published_predictions_score_what_the_benchmark_publishes(shared):
    data = data_of("data=ade20k", f"data.root={shared}/ADEChallengeData2016", "data.batch_size=1")
    metrics = SegmentationMetrics(150)
    values = LabelValues(data.labels, reduce_zero_label=True)
    for index in range(len(data.val)):
        sample = data.val[index]
        file = shared / "ade20k_predictions" / f"{sample['name']}.png"
        prediction = values.to_classes(read_mask(file), str(file))
        metrics.update(*(torch.from_numpy(labels.astype(np.int64))[None] for labels in (prediction, sample["target"])))
    scores = metrics.compute()
    iou = torch.stack([scores[f"IoU/{index}"] for index in range(150)])
    assert f"{scores['aAcc']:.2%}" == "100.00%"
    # The benchmark's code counts a class that occurs nowhere as 0 and divides by all
    # 150. Of 150, 15 occur, and are right.
    assert f"{iou.nan_to_num(0).mean():.4f}" == "0.1000"
    # mmsegmentation, and so we, divide by the classes that occur.
    assert f"{scores['mIoU']:.4f}" == "1.0000"
    assert int(iou.isfinite().sum()) == 15


@pytest.mark.parametrize(
    ("data", "task", "way_out"), [("ade20k", "depth", "task=segmentation"), ("imagenet", "depth", "task=classif")]
)
def test_data_without_labels_for_a_task_names_the_tasks_it_has_labels_for(data, task, way_out):
    with pytest.raises(Exception, match="Could not") as raised:
        composed(f"task={task}", f"data={data}")
    assert f"data={data} has no labels for task={task}; use {way_out}" in explain(raised.value, "train")


# -- NYU depth -----------------------------------------------------------------------------------------------------


def test_nyu_depth_follows_its_lists(tmp_path):
    data = data_of("task=depth", "data=nyu_depth", f"data.root={make_nyu_depth(tmp_path)}", "data.batch_size=2")
    assert [pair.name for pair in data.train.pairs] == [
        "kitchen_0000/rgb_00000",
        "kitchen_0001b/rgb_00001",
        "kitchen_0002/rgb_00002",
    ]
    assert len(data.val) == 2
    sample = data.val[1]
    raw = np.array(Image.open(data.val.pairs[1].target)).astype(np.float32)
    np.testing.assert_allclose(sample["target"], np.where(raw > 10000, 0, raw / 1000), rtol=1e-6)
    assert data.train_item(0)["image"].shape == (448, 576, 3)


def test_nyu_depth_sees_rgb_as_glpn_does_and_is_measured_in_its_frame(tmp_path):
    config = composed("task=depth", "data=nyu_depth", f"data.root={make_nyu_depth(tmp_path)}", "data.batch_size=1")
    data = build_data(config)
    image = torch.tensor([0, 255]).view(2, 1, 1).expand(2, 3, 1).unsqueeze(-1)
    assert data.normalize(image).unique().tolist() == [0.0, 1.0]
    metrics = complete(config, data.labels)["metrics"]
    assert (metrics["crop"], metrics["min_depth"], metrics["max_depth"]) == ("nyu", 0.001, 10.0)


def test_glpns_lists_do_as_well(tmp_path):
    make_nyu_depth(tmp_path)
    for split in ("train", "test"):
        file = tmp_path / f"nyudepthv2_{split}_files_with_gt.txt"
        (tmp_path / f"{split}_list.txt").write_text(file.read_text().replace(" 518.8579", ""))
        file.unlink()
    assert len(data_of("task=depth", "data=nyu_depth", f"data.root={tmp_path}", "data.batch_size=1").train) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"holds none of nyudepthv2_train_files_with_gt\.txt, train_list\.txt"),
        ("", r"is empty"),
        ("a.jpg\n", r"the line 'a\.jpg'"),
    ],
)
def test_a_list_without_pairs_is_refused(tmp_path, content, message):
    file = make_nyu_depth(tmp_path) / "nyudepthv2_train_files_with_gt.txt"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(UserError, match=message):
        data_of("task=depth", "data=nyu_depth", f"data.root={tmp_path}")


def test_the_labeled_frames_are_split_as_the_authors_did_and_edged_as_bts_does(tmp_path):
    data = LabeledNyuDepth(make_nyu_depth_labelled(tmp_path), range=INDOORS, split="train")
    assert len(data) == 2
    sample = data[0]
    assert sample["name"].endswith("0004")
    np.testing.assert_array_equal(sample["image"][7:474, 7:632], noise(3, 480, 640)[7:474, 7:632])
    assert sample["image"].sum() == noise(3, 480, 640)[7:474, 7:632].sum()
    assert sample["target"].shape == (480, 640)
    assert sample["target"].max() <= 10
    assert not sample["target"][10:20, 30:50].any()
    filled = LabeledNyuDepth(tmp_path, range=INDOORS, split="test", filled=True, border=False)[0]
    assert (filled["target"][10:20, 30:50] == 5).all()
    np.testing.assert_array_equal(filled["image"], noise(0, 480, 640))


def test_the_labeled_frames_can_be_read_in_other_processes(tmp_path, monkeypatch):
    monkeypatch.setattr("pvtseg.data.verify.sample_check.PER_WORKER", 1)
    data = LabeledNyuDepth(make_nyu_depth_labelled(tmp_path), range=INDOORS, split="test")
    checks = list(check_dataset(data, "val", depth=INDOORS, num_workers=1))
    assert len({check.digest for check in checks}) == 3
    assert not any(check.findings for check in checks)


def test_without_h5py_the_labeled_file_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UserError, match=r"h5py.*pip install 'pvtseg\[nyu\]'"):
        LabeledNyuDepth(tmp_path, range=INDOORS, split="train")


# -- ImageNet ------------------------------------------------------------------------------------------------------


def test_class_folders_in_sorted_order_are_the_thousand_classes(tmp_path):
    data = data_of("task=classification", "data=imagenet", f"data.root={make_imagenet(tmp_path)}")
    assert (len(data.train), len(data.val)) == (1000, 1000)
    assert [data.train[index]["target"] for index in (0, 1, 999)] == [0, 1, 999]
    assert (data.labels.names[0], data.labels.names[999]) == ("tench", "toilet tissue")
    shutil.rmtree(tmp_path / "train" / wnid(5))
    with pytest.raises(UserError, match=r"has 999 folders.*data\.labels\.num_classes is 1000"):
        imagenet(tmp_path, split="train", labels=imagenet_labels())


THREE = ClassInfo(num_classes=3, ignore_index=-1)


def test_the_original_archives_are_read_without_unpacking(tmp_path):
    make_imagenet_archives(tmp_path)
    train, val = (imagenet(tmp_path, split=split, labels=THREE) for split in ("train", "val"))
    assert [train[index]["target"] for index in range(6)] == [0, 0, 1, 1, 2, 2]
    assert [val[index]["target"] for index in range(3)] == [0, 1, 2]
    (tmp_path / "expected.jpg").write_bytes(jpeg(3))
    np.testing.assert_array_equal(train[3]["image"], np.array(Image.open(tmp_path / "expected.jpg")))
    assert train[3]["name"] == f"{wnid(1)}/{wnid(1)}_1.JPEG"


def test_the_members_of_an_archive_are_looked_up_once_and_kept_in_the_cache(tmp_path):
    make_imagenet_archives(tmp_path)
    first = imagenet(tmp_path, split="train", labels=THREE)
    assert not (tmp_path / ".pvtseg").exists()
    kept = cache_file("archives", tmp_path / "ILSVRC2012_img_train.tar", ".npy")
    before = kept.stat().st_mtime_ns
    again = imagenet(tmp_path, split="train", labels=THREE)
    assert kept.stat().st_mtime_ns == before
    np.testing.assert_array_equal(first.members, again.members)


def test_unpacked_validation_images_get_their_labels_from_the_devkit(tmp_path):
    import tarfile

    make_imagenet_archives(tmp_path)
    with tarfile.open(tmp_path / "ILSVRC2012_img_val.tar") as archive:
        archive.extractall(tmp_path / "val", filter="data")
    val = imagenet(tmp_path, split="val", labels=THREE)
    assert [(val[index]["name"][-2:], val[index]["target"]) for index in range(3)] == [("01", 0), ("02", 1), ("03", 2)]
    (tmp_path / "val/ILSVRC2012_val_00000002.JPEG").unlink()
    with pytest.raises(UserError, match=r"holds 2 images, .* has labels for 3"):
        imagenet(tmp_path, split="val", labels=THREE)


def test_what_is_missing_of_imagenet_is_named(tmp_path):
    with pytest.raises(
        UserError, match=r"neither a folder train .* nor ILSVRC2012_img_train\.tar; run pvtseg download"
    ):
        imagenet(tmp_path, split="train", labels=THREE)
    make_imagenet_archives(tmp_path)
    with pytest.raises(UserError, match=r"holds 3 classes; expected 1000"):
        imagenet(tmp_path, split="train", labels=imagenet_labels())
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    with pytest.raises(UserError, match=r"devkit_t12\.tar\.gz is missing"):
        imagenet(tmp_path, split="val", labels=THREE)


# -- checkpoints that others named ---------------------------------------------------------------------------------


def facts(names, num_classes=None):
    return {"labels": {"names": names, "num_classes": num_classes or len(names)}}


def test_a_published_checkpoint_may_be_evaluated_though_its_names_are_others():
    ours = imagenet_labels().names
    check_same_classes(facts(None, 1000), facts(list(ours)))
    check_same_classes(facts([f"{name}, Something else" for name in ours]), facts(list(ours)))
    check_same_classes(facts(["wall", "bed "]), facts(["wall", "bed"]))


@pytest.mark.parametrize("stored", [facts(None, 999), facts(["road", "sky", "car"]), facts(["sky", "road"])])
def test_other_classes_are_refused(stored):
    with pytest.raises(UserError, match="evaluate on data with the same classes"):
        check_same_classes(stored, facts(["road", "sky"]))
