import numpy as np
import pytest

from pvtseg.data.transforms.classification import ClassificationTraining


def slope(height=200, width=300):
    """Red grows with the column, green with the row: an image that tells where each
    pixel is from.
    """
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns * 255 / width, rows * 255 / height, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def test_the_target_is_unchanged_and_the_size_is_that_of_the_option():
    transform = ClassificationTraining((64, 96))
    sample = transform(image=slope(), target=3)
    assert sample["target"] == 3
    assert sample["image"].shape == (64, 96, 3)
    assert sample["image"].dtype == np.uint8


def test_crops_cover_the_fraction_of_the_image_in_scale():
    transform = ClassificationTraining(64, scale=(0.3, 0.5), color_jitter=0.0)
    for number in range(40):
        transform.seed(number)
        image = transform(image=slope(), target=0)["image"].astype(float)
        width = np.ptp(image[..., 0]) / 255
        height = np.ptp(image[..., 1]) / 255
        assert 0.25 < width * height < 0.55
        assert 0.70 < (width * 300) / (height * 200) < 1.40


@pytest.mark.parametrize("flip_prob", [0.0, 1.0])
def test_the_flip_prob_decides_on_mirroring(flip_prob):
    transform = ClassificationTraining(32, flip_prob=flip_prob, color_jitter=0.0)
    for number in range(10):
        transform.seed(number)
        red = transform(image=slope(), target=0)["image"][16, :, 0].astype(int)
        assert (red[0] > red[-1]) == (flip_prob == 1.0)


def test_without_jitter_a_gray_image_keeps_its_gray_and_with_it_not():
    gray = np.full((50, 50, 3), 120, np.uint8)
    assert (ClassificationTraining(32, color_jitter=0.0)(image=gray, target=0)["image"] == 120).all()
    jittered = ClassificationTraining(32, color_jitter=0.4)
    means = []
    for number in range(60):
        jittered.seed(number)
        means.append(jittered(image=gray, target=0)["image"].mean())
    assert 120 * 0.6 - 2 <= min(means) < 90
    assert 150 < max(means) <= 120 * 1.4 + 2


def test_the_same_seed_gives_the_same_sample_and_another_seed_another():
    transform = ClassificationTraining(32)

    def drawn(number):
        transform.seed(number)
        return transform(image=slope(), target=0)["image"]

    first, other, again = drawn(5), drawn(6), drawn(5)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
