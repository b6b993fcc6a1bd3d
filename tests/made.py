"""Tiny data sets in the layouts of the real ones, with their awkward cases."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, height: int, width: int) -> np.ndarray:
    """An image that no other seed makes."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def make_ade20k(root: Path, *, train: int = 4, val: int = 3) -> Path:
    """ROOT/images, ROOT/annotations: images of several sizes, one of them gray; every
    value 0..150 in every mask but the last of training, which is all "other".
    """
    for split, count in (("training", train), ("validation", val)):
        for number in range(1, count + 1):
            height, width = (48, 64) if number % 2 else (70, 41)
            image = noise(number + 1000 * len(split), height, width)
            mask = (np.arange(height * width) * 151 // (height * width)).reshape(height, width).astype(np.uint8)
            name = f"ADE_{'train' if split == 'training' else 'val'}_{number:08d}"
            is_last = split == "training" and number == count > 1
            write(root / f"images/{split}/{name}.jpg", image[..., 0] if number == 2 else image)
            write(root / f"annotations/{split}/{name}.png", np.zeros_like(mask) if is_last else mask)
    return root


def make_nyu_depth(root: Path, *, train: int = 3, val: int = 2) -> Path:
    """ROOT/sync, ROOT/official_splits/test and BTS's lists: uint16 millimeters, with
    holes and with depths beyond 10 m.
    """
    for split, folder, count in (("train", "sync", train), ("test", "official_splits/test", val)):
        lines = []
        for number in range(count):
            scene = f"kitchen_{number:04d}{'b' * (number % 2)}"
            names = f"/{scene}/rgb_{number:05d}.jpg", f"/{scene}/sync_depth_{number:05d}.png"
            depth = np.linspace(600, 10500, 480 * 640).reshape(480, 640).astype(np.uint16)
            depth[100:140, 200 : 260 + number] = 0
            write(root / f"{folder}{names[0]}", noise(number + 100 * len(split), 480, 640))
            write(root / f"{folder}{names[1]}", depth)
            lines.append(" ".join([*names, "518.8579"]))
        (root / f"nyudepthv2_{split}_files_with_gt.txt").write_text("\n".join(lines) + "\n\n")
    return root


def make_nyu_depth_labelled(root: Path, *, train: int = 2, val: int = 3) -> Path:
    """ROOT/nyu_depth_v2_labeled.mat, as MATLAB lays it out, and ROOT/splits.mat. Needs h5py."""
    import h5py
    from scipy.io import savemat

    count = train + val
    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w") as file:
        images = np.stack([noise(number, 480, 640) for number in range(count)])
        raw = np.random.default_rng(0).uniform(0.7, 11, (count, 480, 640)).astype(np.float32)
        raw[:, 10:20, 30:50] = 0
        file["images"] = images.transpose(0, 3, 2, 1)
        file["rawDepths"] = raw.transpose(0, 2, 1)
        file["depths"] = np.where(raw == 0, 5, raw).transpose(0, 2, 1)
    order = np.arange(1, count + 1)[:, None]
    savemat(root / "splits.mat", {"trainNdxs": order[val:], "testNdxs": order[:val]})
    return root


def make_camvid(root: Path) -> Path:
    """ROOT/images/{train,val} and ROOT/masks/{train,val}: gray masks of 11 classes and
    of void, 11; one is all void.
    """
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            name = f"0016E5_{number:05d}"
            mask = (np.arange(45 * 60) * 12 // (45 * 60)).reshape(45, 60).astype(np.uint8)
            write(root / f"images/{split}/{name}.jpg", noise(number + 1000 * len(split), 45, 60))
            write(root / f"masks/{split}/{name}.png", np.full_like(mask, 11) if number == 2 else mask)
    return root


def make_indoor_rgbd(root: Path) -> Path:
    """ROOT/images/{train,val} and ROOT/depth/{train,val}: uint16 millimeters with
    holes; one map has next to no valid depth.
    """
    for split, count in (("train", 8), ("val", 3)):
        for number in range(count):
            depth = np.linspace(400, 10500, 90 * 121).reshape(90, 121).astype(np.uint16)
            depth[20:40, 30:60] = 0
            if number == 2:
                depth[1:] = 65535
            write(root / f"images/{split}/{number:06d}.jpg", noise(number + 1000 * len(split), 90, 121))
            write(root / f"depth/{split}/{number:06d}.png", depth)
    return root


def make_digits(root: Path) -> Path:
    """ROOT/{train,val}/DIGIT/NAME.png, gray, and of different sizes."""
    for split, count in (("train", 2), ("val", 1)):
        for digit in range(10):
            for number in range(count):
                seed = 1000 * len(split) + 10 * digit + number
                write(root / split / f"{digit}/{number:04d}.png", noise(seed, 32 + digit % 2, 32)[..., 0])
    return root


def wnid(index: int) -> str:
    """A WordNet id; in sorted order they are the classes."""
    return f"n{1440764 + 37 * index:08d}"


def jpeg(seed: int, *, height: int = 9, width: int = 12) -> bytes:
    """An image file of ImageNet: of five seeds in a row one is gray, one CMYK, and one
    a PNG in spite of its name.
    """
    content = io.BytesIO()
    image = Image.fromarray(noise(seed, height, width)).convert({1: "L", 2: "CMYK"}.get(seed % 5, "RGB"))
    image.save(content, "PNG" if seed % 5 == 4 else "JPEG")
    return content.getvalue()


def make_imagenet(root: Path, *, num_classes: int = 1000, images: int = 1) -> Path:
    """ROOT/train/WNID/*.JPEG and ROOT/val/WNID/*.JPEG."""
    for split in ("train", "val"):
        for index in range(num_classes):
            folder = root / split / wnid(index)
            folder.mkdir(parents=True)
            for number in range(images):
                seed = 2 * (index * images + number) + (split == "val")
                (folder / f"{wnid(index)}_{number}.JPEG").write_bytes(jpeg(seed))
    return root


def make_imagenet_archives(root: Path, *, num_classes: int = 3, images: int = 2, val: int | None = None) -> Path:
    """The original archives: one of an archive per class, one of validation images, and
    a devkit with its own class numbers.

    val: how many validation images, of the first classes; one of each class by default.
    """
    from scipy.io import savemat

    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / "ILSVRC2012_img_train.tar", "w") as train:
        for index in reversed(range(num_classes)):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as archive:
                for number in range(images):
                    add(archive, f"{wnid(index)}_{number}.JPEG", jpeg(index * images + number))
            add(train, f"{wnid(index)}.tar", inner.getvalue())
    numbers = [num_classes - index for index in range(num_classes)]  # the development kit counts from 1, here backwards
    num_images = num_classes if val is None else val
    with tarfile.open(root / "ILSVRC2012_img_val.tar", "w") as archive:
        for index in range(num_images):
            add(archive, f"ILSVRC2012_val_{index + 1:08d}.JPEG", jpeg(5000 + index))
    synsets = [(number, wnid(index), "a word", 0) for index, number in enumerate(numbers)]
    synsets.append((num_classes + 1, "n00001740", "entity", num_classes))  # a class of classes, as the real one has
    kinds = [("ILSVRC2012_ID", object), ("WNID", object), ("words", object), ("num_children", object)]
    meta = io.BytesIO()
    savemat(meta, {"synsets": np.array(synsets, dtype=kinds)[:, None]})
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as kit:
        add(kit, "ILSVRC2012_devkit_t12/data/meta.mat", meta.getvalue())
        ground_truth = "".join(f"{number}\n" for number in numbers[:num_images])
        add(kit, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", ground_truth.encode())
    return root


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
