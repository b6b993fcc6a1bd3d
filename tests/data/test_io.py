import numpy as np
import pytest
from PIL import Image

from pvtseg.data.io import read_depth, read_image, read_mask, to_rgb
from pvtseg.errors import UserError

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8)
COLORS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def saved(array, path):
    Image.fromarray(array).save(path)
    return path


def palette_image(indices, palette):
    image = Image.new("P", indices.shape[::-1])
    image.putdata(indices.ravel().tolist())
    image.putpalette(palette)
    return image


def test_an_rgb_image_is_read_unchanged(tmp_path):
    np.testing.assert_array_equal(read_image(saved(COLORS, tmp_path / "a.png")), COLORS)


def test_a_gray_image_becomes_three_equal_channels(tmp_path):
    np.testing.assert_array_equal(read_image(saved(RAMP, tmp_path / "a.png")), np.stack([RAMP] * 3, -1))


def test_a_transparent_image_keeps_its_colors(tmp_path):
    rgba = np.concatenate([COLORS, RAMP[..., None]], axis=-1)
    np.testing.assert_array_equal(read_image(saved(rgba, tmp_path / "a.png")), COLORS)


@pytest.mark.filterwarnings("error")
def test_a_palette_image_is_read_as_its_colors_with_transparency_or_without(tmp_path):
    image = palette_image(RAMP % 3, [255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "transparent.png", transparency=b"\x00\x80\xff")
    expected = 255 * np.eye(3, dtype=np.uint8)[RAMP % 3]
    np.testing.assert_array_equal(read_image(tmp_path / "opaque.png"), expected)
    np.testing.assert_array_equal(read_image(tmp_path / "transparent.png"), expected)


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    deep = RAMP.astype(np.uint16) * 1300
    image = read_image(saved(deep, tmp_path / "a.png"))
    np.testing.assert_array_equal(image[..., 1], deep // 256)
    assert image.shape == (6, 8, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_an_image_in_memory_is_taken_as_its_file_is(tmp_path, mode):
    image = {
        "P": palette_image(RAMP % 3, [255, 0, 0, 0, 255, 0, 0, 0, 255]),
        "I;16": Image.fromarray(RAMP.astype(np.uint16) * 1300),
        "I": Image.fromarray(RAMP.astype(np.int32) * 1300),
        "F": Image.fromarray(RAMP.astype(np.float32)),
    }.get(mode)
    image = image or Image.fromarray(COLORS).convert(mode)
    assert image.mode == mode
    file = tmp_path / ("a.png" if mode in ("1", "L", "P", "RGB", "RGBA", "I;16") else "a.tif")
    image.save(file)
    if mode == "F":
        with pytest.raises(UserError, match="the image holds floating-point numbers, whose white is unknown; save it"):
            to_rgb(image, "the image")
    else:
        np.testing.assert_array_equal(to_rgb(image, "the image"), read_image(file))


def test_an_image_that_was_opened_is_turned_upright_and_left_unchanged(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLORS).save(tmp_path / "a.png", exif=exif)
    image = Image.open(tmp_path / "a.png")
    np.testing.assert_array_equal(to_rgb(image, "the image"), np.rot90(COLORS, -1))
    np.testing.assert_array_equal(np.asarray(image), COLORS)


def test_an_opened_image_whose_file_is_damaged_is_refused(tmp_path):
    saved(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    with pytest.raises(UserError, match="the image cannot be read as an image: .*truncated"):
        to_rgb(Image.open(tmp_path / "a.png"), "the image")


def test_a_cmyk_image_is_read_as_rgb(tmp_path):
    Image.new("CMYK", (8, 6), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[0, 0], [255, 0, 0])


def test_an_image_stands_upright_as_its_exif_tag_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    Image.fromarray(COLORS).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(COLORS, -1))


def test_arrays_of_images_masks_and_depths_are_writable(tmp_path):
    read_image(saved(COLORS, tmp_path / "a.png"))[0] = 0
    read_mask(saved(RAMP, tmp_path / "b.png"))[0] = 0
    read_depth(tmp_path / "b.png", 1)[0] = 0


@pytest.mark.parametrize("read", [read_image, read_mask, lambda path: read_depth(path, 0.001)])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, read):
    saved(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8), tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    (tmp_path / "text.png").write_text("no picture at all")
    (tmp_path / "empty.png").touch()
    for name, reason in [
        ("cut.png", "truncated"),
        ("text.png", "does not know its format"),
        ("empty.png", "the file is empty"),
        ("missing.png", "there is no such file"),
    ]:
        with pytest.raises(UserError, match=rf"{name} cannot be read as an? .*{reason}.*; restore the file") as error:
            read(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_truncated_jpeg_is_not_filled_with_gray(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    saved(noise, tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2500])
    with pytest.raises(UserError, match=r"cut\.jpg cannot be read as an image: .*truncated"):
        read_image(tmp_path / "cut.jpg")


def test_an_image_of_floating_point_numbers_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.tif holds floating-point numbers"):
        read_image(saved(RAMP.astype(np.float32), tmp_path / "a.tif"))


def test_a_gray_mask_is_its_values(tmp_path):
    mask = read_mask(saved(RAMP, tmp_path / "a.png"))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, RAMP)


def test_a_palette_mask_is_its_indices_whatever_the_colors(tmp_path):
    palette_image(RAMP % 3, [7, 7, 7, 200, 0, 0, 0, 0, 90]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), RAMP % 3)


def test_a_one_bit_mask_is_zeros_and_ones(tmp_path):
    Image.fromarray(RAMP % 2 == 1).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), RAMP % 2)


def test_a_sixteen_bit_mask_keeps_large_values(tmp_path):
    deep = RAMP.astype(np.uint16) * 1000
    np.testing.assert_array_equal(read_mask(saved(deep, tmp_path / "a.png")), deep)


def test_a_mask_of_equal_channels_is_taken_as_gray(tmp_path):
    np.testing.assert_array_equal(read_mask(saved(np.stack([RAMP] * 3, -1), tmp_path / "a.png")), RAMP)
    rgba = np.stack([RAMP, RAMP, RAMP, np.full_like(RAMP, 255)], -1)
    np.testing.assert_array_equal(read_mask(saved(rgba, tmp_path / "b.png")), RAMP)


def test_a_mask_of_an_array_file_is_its_values(tmp_path):
    np.save(tmp_path / "a.npy", RAMP.astype(np.int64)[None])
    np.testing.assert_array_equal(read_mask(tmp_path / "a.npy"), RAMP)


def test_a_mask_in_colors_is_refused_with_the_colors(tmp_path):
    colors = np.array([[[128, 0, 0], [0, 128, 0]]], dtype=np.uint8)
    with pytest.raises(
        UserError, match=r"a\.png is a mask in 2 colors, such as \(0, 128, 0\), .*8-bit gray or palette"
    ):
        read_mask(saved(colors, tmp_path / "a.png"))


def test_a_mask_as_jpeg_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.jpg is a JPEG, which blurs .* as PNG"):
        read_mask(saved(RAMP, tmp_path / "a.jpg"))


def test_a_mask_of_fractions_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", RAMP / 2)
    with pytest.raises(UserError, match=r"a\.npy holds float64 values; save integers"):
        read_mask(tmp_path / "a.npy")


def test_depth_in_millimeters_becomes_meters(tmp_path):
    millimeters = np.array([[0, 1, 1500, 65535]], dtype=np.uint16)
    depth = read_depth(saved(millimeters, tmp_path / "a.png"), 0.001, invalid=(0, 65535))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[0, 0.001, 1.5, 0]], rtol=1e-6)


def test_depth_as_kitti_stores_it_becomes_meters(tmp_path):
    raw = np.array([[0, 256, 20480]], dtype=np.uint16)
    np.testing.assert_array_equal(read_depth(saved(raw, tmp_path / "a.png"), 1 / 256), [[0, 1, 80]])


@pytest.mark.parametrize("file", ["a.npy", "a.tif"])
def test_depth_in_meters_is_read_with_scale_one(tmp_path, file):
    meters = np.array([[0.5, 2.25, -1.0, np.nan, np.inf]], dtype=np.float32)
    np.save(tmp_path / file, meters) if file.endswith("npy") else Image.fromarray(meters).save(tmp_path / file)
    np.testing.assert_array_equal(read_depth(tmp_path / file, 1), [[0.5, 2.25, 0, 0, 0]])


def test_a_picture_of_depth_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.png has pixels of mode RGB, so it is a picture of depth"):
        read_depth(saved(COLORS, tmp_path / "a.png"), 0.001)


def test_an_array_of_objects_is_not_run(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{"a": 1}]], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"a\.npy cannot be read as a depth map"):
        read_depth(tmp_path / "a.npy", 1)


def test_an_array_of_three_channels_is_no_depth_map(tmp_path):
    np.save(tmp_path / "a.npy", COLORS)
    with pytest.raises(UserError, match=r"shape \(6, 8, 3\); save it as \(height, width\)"):
        read_depth(tmp_path / "a.npy", 1)
