"""RandAugment and random erasing repeat by their seed and do what their papers say."""

import numpy as np
import pytest

from pvtseg.data.transforms.classification import ClassificationTraining
from pvtseg.data.transforms.pipeline import A
from pvtseg.data.transforms.strong import RandAugment, RandomErasing

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)


def seeded(step, number, image=IMAGE):
    steps = A.Compose([step])
    steps.set_random_seed(number)
    return steps(image=image)["image"]


@pytest.mark.parametrize("step", [RandAugment(), RandomErasing(prob=1.0)], ids=["rand_augment", "erasing"])
def test_the_same_seed_gives_the_same_image_and_others_others(step):
    images = [seeded(step, number) for number in range(6)]
    np.testing.assert_array_equal(images[3], seeded(step, 3))
    assert len({image.tobytes() for image in images}) > 3
    assert all(image.shape == IMAGE.shape and image.dtype == np.uint8 for image in images)


def test_strengths_spread_around_nine_tenths_of_the_most():
    step = RandAugment(9.0)
    step.set_random_seed(0)
    bins = [step.get_params()["bin"] for _ in range(400)]
    assert np.mean(bins) == pytest.approx(27, abs=0.3)
    assert np.std(bins) == pytest.approx(1.5, abs=0.3)
    assert max(bins) <= 30


def test_erased_is_one_rectangle_of_noise_within_the_papers_limits():
    gray = np.full((100, 100, 3), 7, np.uint8)
    fractions = []
    for number in range(60):
        changed = (seeded(RandomErasing(prob=1.0), number, gray) != 7).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert changed.sum() > 0.95 * height * width
        assert 0.25 < height / width < 4
        fractions.append(height * width / 100**2)
    assert 0.015 < min(fractions) < 0.1
    assert 0.25 < max(fractions) < 0.35


def test_erased_pixels_are_normal_after_the_normalization():
    black = np.zeros((400, 400, 3), np.uint8)
    changed = seeded(RandomErasing(prob=1.0), 1, black)
    noise = changed[changed.any(axis=2)] - RandomErasing.MEAN
    np.testing.assert_allclose(noise.mean(axis=0) / RandomErasing.DEVIATION, 0, atol=0.05)
    np.testing.assert_allclose(noise.std(axis=0) / RandomErasing.DEVIATION, 1, atol=0.06)  # a little is cut off


def test_rand_augment_and_erasing_are_off_by_default():
    plain, strong = ClassificationTraining(32), ClassificationTraining(32, rand_augment=9.0, erase_prob=1.0)
    for transform in (plain, strong):
        transform.seed(4)
    first, second = (transform(image=IMAGE, target=1)["image"] for transform in (plain, strong))
    assert first.shape == second.shape == (32, 32, 3)
    assert not np.array_equal(first, second)
    assert not any(isinstance(step, RandAugment) for step in plain.steps.transforms)
