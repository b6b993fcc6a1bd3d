import subprocess
import sys

import cv2
import numpy as np
import pytest
import torchvision.transforms.functional as vision
from PIL import Image

from pvtseg.data.transforms.evaluation import KeepRatio, MultiScale, Original, Resize, ResizeCenterCrop
from pvtseg.data.transforms.published import Squash
from pvtseg.errors import UserError


def photo(height=375, width=500):
    noise = np.random.default_rng(0).integers(0, 256, (height // 5, width // 5, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def test_the_original_is_the_image_itself():
    np.testing.assert_array_equal(Original()(image=photo())["image"], photo())


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resize_squashes_as_pillow_does(interpolation):
    changed = Resize((128, 192), interpolation=interpolation)(image=photo())["image"]
    resampling = getattr(Image.Resampling, interpolation.upper())
    np.testing.assert_array_equal(changed, np.array(Image.fromarray(photo()).resize((192, 128), resampling)))


@pytest.mark.parametrize(
    ("size", "crop_pct", "image_size"),
    [
        (224, 0.875, (375, 500)),
        (224, 0.9, (500, 375)),
        (224, 1.0, (333, 333)),
        (64, 0.875, (40, 50)),
        (96, 0.9, (301, 97)),
    ],
)
def test_resize_and_center_crop_is_torchvisions(size, crop_pct, image_size):
    image = photo(*image_size)
    expected = vision.resize(Image.fromarray(image), int(size / crop_pct), vision.InterpolationMode.BICUBIC)
    expected = np.array(vision.center_crop(expected, [size, size]))
    np.testing.assert_array_equal(ResizeCenterCrop(size, crop_pct=crop_pct)(image=image)["image"], expected)


def test_a_crop_may_be_oblong():
    assert ResizeCenterCrop((100, 224))(image=photo())["image"].shape == (100, 224, 3)
    assert ResizeCenterCrop((224, 100))(image=photo())["image"].shape == (224, 100, 3)


@pytest.mark.parametrize(
    ("image_size", "expected"),
    [
        ((512, 683), (512, 683)),  # as ADE20K has most
        ((683, 512), (683, 512)),
        ((256, 256), (512, 512)),
        ((100, 1000), (205, 2048)),  # the long side binds
        ((1024, 2048), (512, 1024)),
    ],
)
def test_keep_ratio_fits_into_the_frame_turned_either_way(image_size, expected):
    assert KeepRatio((2048, 512))(image=photo(*image_size))["image"].shape[:2] == expected


def test_keep_ratio_resamples_as_opencv_does():
    changed = KeepRatio((200, 150))(image=photo())["image"]
    np.testing.assert_array_equal(changed, cv2.resize(photo(), (200, 150), interpolation=cv2.INTER_LINEAR))


def test_aligned_sides_are_rounded_up_in_a_second_pass():
    changed = KeepRatio((2048, 512), align=32)(image=photo())["image"]
    first = cv2.resize(photo(), (683, 512), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(changed, cv2.resize(first, (704, 512), interpolation=cv2.INTER_LINEAR))


RATIOS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)


@pytest.mark.parametrize(("height", "width"), [(375, 500), (683, 512), (97, 301), (100, 1000)])
def test_at_several_scales_each_image_is_resized_from_the_original_as_mmsegmentation_does(height, width):
    image = photo(height, width)
    scales = MultiScale(KeepRatio((2048, 512), align=32), RATIOS)(image=image)["views"]
    for ratio, found in zip(RATIOS, scales, strict=True):
        scale = min(int(2048 * ratio) / max(height, width), int(512 * ratio) / min(height, width))
        sides = int(width * scale + 0.5), int(height * scale + 0.5)
        once = cv2.resize(image, sides, interpolation=cv2.INTER_LINEAR)
        sides = tuple(-(-side // 32) * 32 for side in sides)
        np.testing.assert_array_equal(found, cv2.resize(once, sides, interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize(
    ("transform", "size"),
    [
        (Original(), (375, 500)),
        (Resize((64, 96)), (64, 96)),
        (Squash((64, 96)), (64, 96)),
        (KeepRatio((200, 60)), (60, 80)),
    ],
)
def test_every_transform_that_serves_pixels_knows_several_scales(transform, size):
    prepared = MultiScale(transform, [0.5, 1.0, 2.0])(image=photo())
    half, same, twice = prepared["views"]
    np.testing.assert_array_equal(prepared["image"], transform(image=photo())["image"])
    np.testing.assert_array_equal(same, transform(image=photo())["image"])
    assert half.shape == (int(size[0] / 2 + 0.5), size[1] // 2, 3)
    assert twice.shape == (2 * size[0], 2 * size[1], 3)


def test_scales_that_make_no_sense_are_refused():
    for ratios in ([], [0.0, 1.0]):
        with pytest.raises(UserError, match=r"inference\.ratios is"):
            MultiScale(Original(), ratios)
    with pytest.raises(
        UserError, match="is ResizeCenterCrop, which has one size only; use inference=flip or inference=whole"
    ):
        MultiScale(ResizeCenterCrop(64), [1.0])


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match=r"data\.eval_transform\.interpolation is 'nearest'; use bilinear or bicubic\."):
        Resize(64, interpolation="nearest")
    with pytest.raises(UserError, match=r"data\.eval_transform\.crop_pct is 87\.5; use a fraction"):
        ResizeCenterCrop(64, crop_pct=87.5)
    with pytest.raises(UserError, match=r"data\.eval_transform\.base_size is \(512,\); use two sides"):
        KeepRatio((512,))


def test_evaluation_does_not_load_albumentations():
    program = "import sys, pvtseg.data.transforms.evaluation as _; sys.exit('albumentations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
