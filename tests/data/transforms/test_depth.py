import numpy as np
import pytest

from pvtseg.data.transforms.depth import DepthTraining, VerticalCutDepth


def scene(height=120, width=160):
    """Every pixel has a depth of its own, and the image repeats it in its first two
    channels.
    """
    place = np.arange(height * width).reshape(height, width)
    image = np.stack([place // 256, place % 256, np.zeros_like(place)], axis=-1).astype(np.uint8)
    return image, (place / 4000 + 0.5).astype(np.float32)


PLAIN = {"color_prob": 0.0}


def place_of(image):
    return image[..., 0].astype(int) * 256 + image[..., 1]


@pytest.mark.parametrize("flip_prob", [0.0, 1.0])
def test_image_and_depth_stay_aligned_and_depth_keeps_its_values(flip_prob):
    image, depth = scene()
    transform = DepthTraining((48, 64), flip_prob=flip_prob, **PLAIN)
    corners = set()
    for number in range(20):
        transform.seed(number)
        sample = transform(image=image, target=depth)
        assert sample["target"].dtype == np.float32
        np.testing.assert_array_equal(sample["target"], depth.ravel()[place_of(sample["image"])])
        steps = np.diff(place_of(sample["image"]), axis=1)
        assert (steps == (-1 if flip_prob else 1)).all()
        corners.add(int(place_of(sample["image"]).min()))
    assert len(corners) > 15


def test_a_small_image_is_padded_with_black_and_invalid_depth_at_the_bottom_and_right():
    image, depth = scene(20, 30)
    sample = DepthTraining((48, 64), flip_prob=0, **PLAIN)(image=image, target=depth)
    np.testing.assert_array_equal(sample["target"][:20, :30], depth)
    np.testing.assert_array_equal(sample["image"][:20, :30], image)
    assert sample["image"].shape == (48, 64, 3)
    assert (sample["target"] > 0).sum() == 20 * 30
    assert sample["image"][20:].max() == sample["image"][:, 30:].max() == 0


def test_colors_change_and_depth_does_not():
    image, depth = scene()
    changed = DepthTraining((120, 160), flip_prob=0, color_prob=1.0)
    changed.seed(3)
    sample = changed(image=image, target=depth)
    np.testing.assert_array_equal(sample["target"], depth)
    assert np.abs(sample["image"].astype(int) - image).max() > 5


def test_the_same_seed_gives_the_same_sample_and_another_seed_another():
    image, depth = scene()
    transform = DepthTraining((48, 64), color_prob=1.0, cut_depth_prob=1.0)

    def drawn(number):
        transform.seed(number)
        return transform(image=image, target=depth)

    first, other, again = drawn(5), drawn(6), drawn(5)
    np.testing.assert_array_equal(first["image"], again["image"])
    np.testing.assert_array_equal(first["target"], again["target"])
    assert not np.array_equal(first["target"], other["target"])


def test_cut_depth_is_off_by_default():
    image, depth = scene()
    for number in range(20):
        transform = DepthTraining((120, 160), flip_prob=0, **PLAIN)
        transform.seed(number)
        np.testing.assert_array_equal(transform(image=image, target=depth)["image"], image)


def test_cut_depth_shows_depth_as_a_fraction_of_the_largest():
    depth = np.full((60, 160), 2.5, np.float32)
    depth[:10], depth[10:20] = 0, 12
    transform = DepthTraining((60, 160), flip_prob=0, cut_depth_prob=1.0, max_depth=10, **PLAIN)
    widths = []
    for number in range(40):
        transform.seed(number)
        sample = transform(image=np.full((60, 160, 3), 7, np.uint8), target=depth)
        strip = (sample["image"] != 7).all(axis=(0, 2))
        columns = sample["image"][:, strip].astype(int)
        assert (columns[:10] == 0).all()
        assert (columns[10:20] == 255).all()
        assert (columns[20:] == 63).all()  # 2.5 m of 10 m
        assert np.ptp(np.flatnonzero(strip)) + 1 == strip.sum()
        np.testing.assert_array_equal(sample["target"], depth)
        widths.append(int(strip.sum()))
    assert 1 <= min(widths) < max(widths) <= 0.75 * 160


def test_cut_depth_happens_with_its_probability():
    image, depth = scene()
    strips = VerticalCutDepth(10, prob=0.25)
    strips.set_random_seed(0)
    changed = [not np.array_equal(strips(image=image, mask=depth)["image"], image) for _ in range(400)]
    assert 0.18 < np.mean(changed) < 0.32


def resized_ramp(factor, flipped):
    """Depths 1, 2, ... from left to right under an image of twice their value, resized
    by 1 / factor: both as one row.
    """
    depth = np.repeat(np.arange(1, 121, dtype=np.float32)[None], 8, axis=0)
    image = np.repeat((2 * depth).astype(np.uint8)[..., None], 3, axis=2)
    size = (8, round(120 / factor))
    sample = DepthTraining(size, resize=size, flip_prob=float(flipped), **PLAIN)(image=image, target=depth)
    return sample["image"][0, :, 0] / 2, sample["target"][0]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 6, 1.5, 2.5, 3.2])
def test_a_resized_depth_lies_under_the_centers_of_the_images_pixels(factor, flipped):
    """The brightness of a resized pixel is the mean over its extent, hence that of its
    center.

    The depth is the one nearest to the center, half a pixel off at most; a center
    between two pixels has no nearest one.
    """
    brightness, depth = resized_ramp(factor, flipped)
    assert np.abs(depth - brightness).max() <= 0.5 + 0.25  # half a pixel, and the rounding of the brightness
    if factor in (1, 3, 5):
        np.testing.assert_array_equal(depth, brightness)


@pytest.mark.parametrize(
    ("old", "new"), [(240, 240), (240, 80), (240, 97), (241, 96), (77, 130), (1280, 512), (1000, 333)]
)
def test_a_resized_depth_is_the_one_nearest_to_the_center_of_each_pixel(old, new):
    depth = np.arange(1, old + 1, dtype=np.float32)[None].repeat(3, axis=0)
    image = np.zeros((3, old, 3), np.uint8)
    resized = DepthTraining((3, new), resize=(3, new), flip_prob=0, **PLAIN)(image=image, target=depth)["target"][0]
    centers = (np.arange(new) + 0.5) * old / new - 0.5  # in pixels of the original, whose first center is at 0
    assert np.abs((resized - 1) - centers).max() <= 0.5 + 1e-3
