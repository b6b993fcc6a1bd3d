import pickle

import cv2
import numpy as np
import pytest

from pvtseg.data.transforms.pipeline import A
from pvtseg.data.transforms.segmentation import MEAN_COLOR, PhotometricDistortion, SegmentationTraining
from pvtseg.errors import UserError

COLORS = np.random.default_rng(1).integers(0, 256, (5, 3), dtype=np.uint8)


def blocks(height=240, width=320, side=40, seed=0):
    """A mask of square blocks and an image that shows each class in its own color."""
    rows, columns = -(-height // side), -(-width // side)
    classes = np.random.default_rng(seed).integers(0, 5, (rows, columns), dtype=np.uint8)
    mask = np.kron(classes, np.ones((side, side), np.uint8))[:height, :width]
    return COLORS[mask], mask


def inside_blocks(mask):
    """Pixels whose neighbors are all there and of one class: bilinear resampling leaves
    their colors alone.
    """
    lowest = cv2.erode(mask, np.ones((7, 7)))
    return lowest == cv2.dilate(mask, np.ones((7, 7)), borderType=cv2.BORDER_CONSTANT, borderValue=255)


@pytest.mark.parametrize("base_size", [None, (500, 180)])
def test_image_and_target_stay_aligned(base_size):
    image, mask = blocks()
    transform = SegmentationTraining((128, 160), base_size=base_size, photometric=False)
    compared = 0
    for number in range(30):
        transform.seed(number)
        sample = transform(image=image, target=mask)
        labeled = (sample["target"] != 255) & inside_blocks(sample["target"])
        expected = COLORS[sample["target"][labeled]].astype(int)
        assert np.abs(sample["image"][labeled] - expected).max() <= 1
        compared += labeled.sum()
    assert compared > 30 * 128 * 160 / 4


@pytest.mark.parametrize("size", [(128, 160), 96, (700, 900)])
def test_the_size_is_always_that_of_the_option(size):
    image, mask = blocks()
    transform = SegmentationTraining(size)
    expected = (size, size) if isinstance(size, int) else size
    for number in range(5):
        transform.seed(number)
        sample = transform(image=image, target=mask)
        assert sample["image"].shape == (*expected, 3)
        assert sample["target"].shape == expected
        assert sample["image"].dtype == sample["target"].dtype == np.uint8


@pytest.mark.parametrize(("dtype", "ignore_index"), [(np.uint8, 255), (np.int16, -100), (np.int32, 255)])
def test_padding_is_ignored_and_has_the_mean_color(dtype, ignore_index):
    image, mask = blocks(60, 80)
    transform = SegmentationTraining((100, 100), ratio_range=(1, 1), photometric=False, ignore_index=ignore_index)
    sample = transform(image=image, target=mask.astype(dtype))
    padding = np.ones((100, 100), bool)
    padding[:60, :80] = False
    assert sample["target"].dtype == dtype
    assert (sample["target"][padding] == ignore_index).all()
    assert (sample["target"][~padding] != ignore_index).all()
    assert (sample["image"][padding] == MEAN_COLOR).all()


@pytest.mark.parametrize(("base_size", "low", "high"), [(None, 0.5, 2.0), ((2048, 512), 512 / 240 / 2, 512 / 240 * 2)])
def test_the_ratio_multiplies_the_base_and_keeps_the_aspect(base_size, low, high):
    """One white frame, cropped to more than its largest size: what is not padding is
    the resized image.
    """
    transform = SegmentationTraining(1400, base_size=base_size, photometric=False, cat_max_ratio=1.0)
    ratios = []
    for number in range(25):
        transform.seed(number)
        sample = transform(image=np.full((240, 320, 3), 255, np.uint8), target=np.zeros((240, 320), np.uint8))
        labeled = sample["target"] == 0
        height, width = labeled.any(1).sum(), labeled.any(0).sum()
        assert abs(width / 320 - height / 240) < 0.01
        ratios.append(height / 240)
    assert low - 0.01 <= min(ratios) < low * 1.3
    assert high * 0.85 < max(ratios) <= high + 0.01


def largest_fraction(target):
    counts = np.unique(target[target != 255], return_counts=True)[1]
    return counts.max() / counts.sum()


def test_crops_that_one_class_fills_are_drawn_again():
    """Class 1 is a strip at the right edge: few crops see it, and ten more draws find
    one that does far more often.
    """
    mask = np.zeros((200, 400), np.uint8)
    mask[:, 300:] = 1
    image = COLORS[mask]

    def fraction_of_varied_crops(cat_max_ratio):
        transform = SegmentationTraining(100, ratio_range=(1, 1), cat_max_ratio=cat_max_ratio)
        varied = 0
        for number in range(100):
            transform.seed(number)
            varied += largest_fraction(transform(image=image, target=mask)["target"]) < 0.75
        return varied / 100

    chance = (275 - 225) / 301  # left edges at which each class covers more than a quarter
    assert abs(fraction_of_varied_crops(1.0) - chance) < 0.15
    assert fraction_of_varied_crops(0.75) > 1 - (1 - chance) ** 11 - 0.12


@pytest.mark.parametrize("only", [0, 255])
def test_a_mask_that_no_crop_can_vary_is_taken_unchanged(only):
    mask = np.full((200, 200), only, np.uint8)
    sample = SegmentationTraining(100, ratio_range=(1, 1))(image=COLORS[mask % 5], target=mask)
    assert (sample["target"] == only).all()


@pytest.mark.parametrize(("fraction", "kept"), [(0.7, True), (0.8, False)])
def test_cat_max_ratio_counts_labeled_pixels_only(fraction, kept):
    """Six of ten columns are ignored and class 0 has `fraction` of the others, in every
    crop of 100 alike.
    """
    rows, columns = np.mgrid[:200, :400] % 10
    mask = np.where(columns < 6, 255, np.where(rows < 10 * fraction, 0, 1)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (200, 400, 3), dtype=np.uint8)
    options = {"ratio_range": (1, 1), "photometric": False, "flip_prob": 0}
    picky, easy = (SegmentationTraining(100, cat_max_ratio=ratio, **options) for ratio in (0.75, 1.0))
    for number in range(5):
        picky.seed(number)
        easy.seed(number)
        crops = [transform(image=noise, target=mask)["image"] for transform in (picky, easy)]
        assert np.array_equal(*crops) == kept


def test_the_same_seed_gives_the_same_sample_and_another_seed_another():
    image, mask = blocks()
    transform, other = SegmentationTraining((128, 160)), SegmentationTraining((128, 160))

    def drawn(transform, number):
        transform.seed(number)
        return transform(image=image, target=mask)

    first = drawn(transform, 7)
    drawn(transform, 8)
    for again in (drawn(transform, 7), drawn(other, 7), drawn(pickle.loads(pickle.dumps(transform)), 7)):
        np.testing.assert_array_equal(first["image"], again["image"])
        np.testing.assert_array_equal(first["target"], again["target"])
    assert not np.array_equal(first["target"], drawn(transform, 8)["target"])


def test_steps_draw_independently_of_each_other():
    """Columns are numbered: a falling row was flipped. Flipped or not, every scale occurs."""
    mask = np.broadcast_to(np.arange(200, dtype=np.uint8), (20, 200)).copy()
    image = np.repeat(mask[..., None], 3, axis=2)
    transform = SegmentationTraining((40, 320), ratio_range=(0.5, 1.5), photometric=False)
    widths = {True: [], False: []}
    for number in range(200):
        transform.seed(number)
        row = transform(image=image, target=mask)["target"][0]
        row = row[row != 255]
        widths[bool(row[0] > row[-1])].append(len(row))
    assert 70 <= len(widths[True]) <= 130
    for some in widths.values():
        assert min(some) < 115
        assert max(some) > 285


def test_a_flip_prob_of_one_always_mirrors_and_zero_never():
    image, mask = blocks(100, 100)
    options = {"ratio_range": (1, 1), "photometric": False, "cat_max_ratio": 1.0}
    mirrored = SegmentationTraining(100, flip_prob=1.0, **options)(image=image, target=mask)
    np.testing.assert_array_equal(mirrored["target"], mask[:, ::-1])
    np.testing.assert_array_equal(mirrored["image"], image[:, ::-1])
    np.testing.assert_array_equal(
        SegmentationTraining(100, flip_prob=0.0, **options)(image=image, target=mask)["target"], mask
    )


def test_what_goes_in_is_not_written_to():
    image, mask = blocks()
    image_before, mask_before = image.copy(), mask.copy()
    transform = SegmentationTraining((128, 160))
    for number in range(5):
        transform.seed(number)
        transform(image=image, target=mask)
    np.testing.assert_array_equal(image, image_before)
    np.testing.assert_array_equal(mask, mask_before)


def test_steps_of_your_own_come_before_the_padding():
    image, mask = blocks(60, 80)
    transform = SegmentationTraining(
        100, ratio_range=(1, 1), photometric=False, extra=[A.InvertImg(p=1.0)], flip_prob=0
    )
    changed = transform(image=image, target=mask)["image"]
    np.testing.assert_array_equal(changed[:60, :80], 255 - image)
    assert (changed[99, 99] == MEAN_COLOR).all()


def test_a_size_without_two_sides_is_refused():
    with pytest.raises(UserError, match=r"data\.train_transform\.size is \[512\]; use two sides"):
        SegmentationTraining([512])
    with pytest.raises(UserError, match=r"base_size is \(0, 2\); use two sides"):
        SegmentationTraining(512, base_size=(0, 2))


GREYS = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
PURE = {"brightness": 0.0, "contrast": 1.0, "saturation": 1.0, "hue": 0, "contrast_first": True}


def distorted(image, **changes):
    return PhotometricDistortion().apply(image, **(PURE | changes)).astype(int)


def test_no_distortion_leaves_the_image_alone():
    image, _ = blocks()
    np.testing.assert_array_equal(distorted(image), image)


def test_brightness_is_added_and_contrast_multiplied():
    levels = np.arange(256)
    np.testing.assert_array_equal(distorted(GREYS, brightness=-30.0)[0, :, 0], np.clip(levels - 30, 0, 255))
    for contrast_first in (True, False):
        changed = distorted(GREYS, contrast=1.5, contrast_first=contrast_first)[0, :, 2]
        np.testing.assert_array_equal(changed, np.clip(levels * 1.5, 0, 255).astype(int))


def test_hue_turns_in_steps_of_two_degrees():
    red = np.array([[[255, 0, 0]]], np.uint8)
    np.testing.assert_array_equal(distorted(red, hue=18)[0, 0], [255, 153, 0])  # 36 degrees
    np.testing.assert_array_equal(distorted(red, hue=-18)[0, 0], [255, 0, 153])


def test_saturation_moves_colors_towards_gray_and_leaves_gray_alone():
    np.testing.assert_array_equal(distorted(np.array([[[200, 0, 0]]], np.uint8), saturation=0.5)[0, 0], [200, 100, 100])
    np.testing.assert_array_equal(distorted(GREYS, saturation=1.5), GREYS)


def test_each_distortion_happens_half_of_the_time_within_its_limits():
    distortion = PhotometricDistortion()
    distortion.set_random_seed(0)
    draws = [distortion.get_params() for _ in range(1000)]
    for name, nothing, low, high in [
        ("brightness", 0, -32, 32),
        ("contrast", 1, 0.5, 1.5),
        ("saturation", 1, 0.5, 1.5),
        ("hue", 0, -18, 18),
    ]:
        values = np.array([draw[name] for draw in draws])
        assert 0.43 < (values != nothing).mean() < 0.57
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high
    assert 0.43 < np.mean([draw["contrast_first"] for draw in draws]) < 0.57
