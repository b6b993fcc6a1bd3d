"""Reads images, masks and depth maps, or names what is wrong with a file. Only Pillow
and numpy.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from pvtseg.errors import UserError

PathLike = str | os.PathLike[str]

# What Pillow and numpy raise for files that are missing, truncated, of another kind, or
# too large.
READING_FAILS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class UnreadableError(UserError):
    """A file is not there, damaged, or of another kind than it should be."""


class ColoredMaskError(UserError):
    """A mask shows colors where class values should be."""


class SizesDifferError(UserError):
    """An image and its target differ in size."""


def read_image(path: PathLike, content: bytes | None = None) -> np.ndarray:
    """An image file as (H, W, 3) uint8 RGB, see `to_rgb`.

    content: the bytes of the file, if it is part of an archive; `path` then only names
    it. Raises UserError naming the file where it cannot be read.
    """
    return to_rgb(_open(path, "an image", content), path)


def to_rgb(image: Image.Image, name: PathLike) -> np.ndarray:
    """A PIL image as (H, W, 3) uint8 RGB, upright as its EXIF tag says.

    Gray becomes three equal channels, 16 bits are scaled to 8, and transparency is
    dropped: hidden colors show. Raises UserError with the name where that cannot be.
    """
    try:
        image.load()  # a file that was only opened is read here
    except READING_FAILS as error:
        raise _unreadable(name, "an image", error) from error
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise UserError(
            f"{name} holds floating-point numbers, whose white is unknown; save it with 8 bits per channel."
        )
    if image.mode.startswith("I"):
        return _eight_bits(name, np.asarray(image))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns on the direct way
    try:
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except ValueError as error:
        raise UserError(f"{name} has colors of mode {image.mode} ({error}); save it as RGB.") from error


def read_mask(path: PathLike) -> np.ndarray:
    """A map of class values as (H, W) integers: uint8, or wider where the file is.

    Takes 1, 8, 16 and 32-bit gray, palette images (their indices, not their colors),
    gray saved as RGB, and .npy.
    Raises UserError naming the file where it cannot be read, or does not hold one value
    per pixel.
    """
    if _is_numpy(path):
        return _integers(path, _load_array(path, "a mask"))
    image = _open(path, "a mask")
    if image.format == "JPEG":
        raise UserError(f"{path} is a JPEG, which blurs class values into others; write the masks again as PNG.")
    if image.mode in ("1", "L", "P") or image.mode.startswith("I"):
        return _integers(path, np.array(image))
    if image.mode in ("LA", "PA"):
        return np.array(image.getchannel(0))
    if image.mode in ("RGB", "RGBA"):
        return _one_of_equal_channels(path, np.asarray(image))
    raise UserError(
        f"{path} has pixels of mode {image.mode}; expected one class value per pixel: save it as an 8-bit PNG."
    )


def read_depth(path: PathLike, scale: float, invalid: Sequence[float] = (0,)) -> np.ndarray:
    """A depth map as (H, W) float32 meters, 0 where it is invalid.

    The file (8, 16 or 32-bit PNG, integer or floating-point TIFF, .npy) holds meters /
    scale: scale is 0.001 for millimeters, 1/256 for KITTI, 1 for meters. Invalid are
    the values listed in `invalid`, as the file holds them, and whatever is negative or
    not finite. Raises UserError naming the file where it cannot be read.
    """
    raw = _load_array(path, "a depth map") if _is_numpy(path) else _depth_of_image(path)
    if raw.dtype.kind not in "uif":
        raise UserError(f"{path} holds {raw.dtype} values; save depths as integers or floating-point numbers.")
    valid = (raw > 0) & np.isfinite(raw)
    for value in invalid:
        valid &= raw != value
    depth = np.zeros(raw.shape, np.float32)
    return np.multiply(raw, scale, out=depth, where=valid, casting="same_kind")


def check_same_size(image: np.ndarray, image_file: str, target: np.ndarray, target_file: str) -> None:
    """Raises UserError naming both files unless image and target have one height and width."""
    if image.shape[:2] != target.shape[:2]:
        (height, width), (target_height, target_width) = image.shape[:2], target.shape[:2]
        raise SizesDifferError(
            f"{image_file} is {width}x{height} but {target_file} is {target_width}x{target_height}; "
            "expected one size: write the pair again, or take it out of the data set."
        )


def _open(path: PathLike, what: str, content: bytes | None = None) -> Image.Image:
    """The decoded image. Raises UnreadableError, one sentence that names the file,
    however the reading fails.
    """
    try:
        image = Image.open(path if content is None else io.BytesIO(content))
        image.load()
    except READING_FAILS as error:
        empty = Path(path).is_file() and not Path(path).stat().st_size if content is None else not content
        raise _unreadable(path, what, error, empty=empty) from error
    return image


def _load_array(path: PathLike, what: str) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except READING_FAILS as error:
        raise _unreadable(path, what, error) from error
    array = array.squeeze() if array.ndim == 3 else array  # (1, H, W) and (H, W, 1) are common
    if array.ndim != 2:
        raise UserError(f"{path} holds an array of shape {array.shape}; save it as (height, width).")
    return array


def _is_numpy(path: PathLike) -> bool:
    return os.fspath(path).lower().endswith(".npy")


def _unreadable(path: PathLike, what: str, error: Exception, *, empty: bool = False) -> UnreadableError:
    if isinstance(error, FileNotFoundError):
        reason = "there is no such file"
    elif isinstance(error, Image.UnidentifiedImageError):
        reason = "the file is empty" if empty else "Pillow does not know its format"
    else:
        reason = " ".join(str(error).split())
    return UnreadableError(
        f"{path} cannot be read as {what}: {reason}; restore the file, or take it out of the data set."
    )


def _eight_bits(path: PathLike, gray: np.ndarray) -> np.ndarray:
    """(H, W) of 16 bits -> (H, W, 3) uint8."""
    if gray.min() < 0 or gray.max() > 65535:
        raise UserError(f"{path} holds values {gray.min()}..{gray.max()}; save it with 8 or 16 bits per channel.")
    return np.repeat((gray >> 8).astype(np.uint8)[..., None], 3, axis=2)


def _integers(path: PathLike, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "uib":
        raise UserError(f"{path} holds {values.dtype} values; save integers, one class value per pixel.")
    return values.astype(np.uint8) if values.dtype == bool else values


def _one_of_equal_channels(path: PathLike, pixels: np.ndarray) -> np.ndarray:
    red, green, blue = (pixels[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red.copy()
    colors = np.unique(pixels[..., :3].reshape(-1, 3), axis=0)
    shown = ", ".join(str(tuple(color)) for color in colors[:3].tolist())
    raise ColoredMaskError(
        f"{path} is a mask in {len(colors)} colors, such as {shown}; expected one class value per pixel: "
        "write the masks again as 8-bit gray or palette PNG, with the class index in place of each color."
    )


def _depth_of_image(path: PathLike) -> np.ndarray:
    image = _open(path, "a depth map")
    if image.mode not in ("L", "F") and not image.mode.startswith("I"):
        raise UserError(
            f"{path} has pixels of mode {image.mode}, so it is a picture of depth; save one number per pixel, "
            "such as a 16-bit PNG in millimeters."
        )
    return np.array(image)
