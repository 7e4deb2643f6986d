from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import ExifTags, Image, features

from stylegraft.data.decode import decode_image, read_header
from stylegraft.errors import DataError

WHITE = (255, 255, 255)


def rgb(data: bytes, background: tuple[int, int, int] = WHITE) -> np.ndarray:
    return np.asarray(decode_image(data, 3, background))


def grey(data: bytes, background: tuple[int, int, int] = WHITE) -> np.ndarray:
    return np.asarray(decode_image(data, 1, background))


@pytest.mark.parametrize("kind", ["png", "bmp", "tiff", "ppm", "tga", "pcx", "sgi", "gif", "webp", "ico"])
def test_decode_of_a_lossless_format_returns_the_pixels(kind, encode):
    pixels = np.random.default_rng(0).integers(0, 8, (16, 16, 3), np.uint8)
    pixels[..., 1:] = 7  # eight colours, so that GIF is lossless too
    options = {"lossless": True} if kind == "webp" else {"sizes": [(16, 16)]} if kind == "ico" else {}
    data = encode(pixels, kind, **options)
    header = read_header(data)
    assert header.size == (16, 16)
    np.testing.assert_array_equal(rgb(data), pixels)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg2000", "avif"])
def test_decode_of_a_lossy_format_comes_close(kind, encode):
    if not features.check({"jpeg": "jpg", "jpeg2000": "jpg_2000", "avif": "avif"}[kind]):
        pytest.skip(f"this Pillow has no {kind}")
    ramp = np.broadcast_to(np.linspace(40, 200, 32).astype(np.uint8)[None, :, None], (32, 32, 3))
    assert np.abs(rgb(encode(ramp.copy(), kind)).astype(int) - ramp).max() <= 12


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bit_grey_is_scaled_not_cut(kind, encode):
    values = np.array([[0, 128, 129, 257, 32768, 65407, 65535, 40000]], np.uint16)
    data = encode(values, kind)
    assert read_header(data).is_grey
    np.testing.assert_array_equal(grey(data), np.rint(values / 257).astype(np.uint8))
    np.testing.assert_array_equal(rgb(data)[..., 2], grey(data))


def test_16_bit_rgb_png_is_scaled_within_one_level(png_file):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    data = png_file(7, 5, rows, depth=16, colour=2)
    # Pillow keeps the high byte, floor(v / 256); exact scaling is round(v / 257).
    assert np.abs(rgb(data).astype(int) - np.rint(values / 257)).max() <= 1


@pytest.mark.parametrize(
    ("values", "top"),
    [
        (np.array([[0.0, 0.25, 1.0]], np.float32), 1),
        (np.array([[0.0, 128.0, 255.0]], np.float32), 255),
        (np.array([[-5.0, 300.0, 65535.0]], np.float32), 65535),
        (np.array([[0, 300, 65535]], np.int32), 65535),
        (np.array([[-7, 70000, 2**31 - 1]], np.int32), 2**31 - 1),
    ],
)
def test_deep_pixels_are_scaled_by_the_range_of_their_type(values, top, encode):
    expected = np.rint(np.clip(values.astype(np.float64), 0, top) * 255 / top)
    np.testing.assert_array_equal(grey(encode(values, "tiff")), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_floats_without_a_range_are_refused(bad, encode):
    with pytest.raises(DataError, match=r"float values up to|NaN or infinite"):
        grey(encode(np.array([[0.5, bad]], np.float32), "tiff"))


def test_one_bit_becomes_black_and_white(encode):
    pixels = np.array([[True, False, True]])
    np.testing.assert_array_equal(grey(encode(Image.fromarray(pixels))), [[255, 0, 255]])


def test_palette_gives_its_colours(encode):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    data = encode(image)
    assert not read_header(data).is_grey
    np.testing.assert_array_equal(rgb(data), [[[10, 20, 30], [200, 100, 50]]])


def test_palette_of_greys_is_grey(encode):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 10, 10, 200, 200, 200])
    image.putdata([0, 1])
    data = encode(image)
    assert read_header(data).is_grey
    np.testing.assert_array_equal(grey(data), [[10, 200]])


def test_transparent_palette_entry_shows_the_background(encode):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    data = encode(image, transparency=1)
    assert read_header(data).has_alpha
    np.testing.assert_array_equal(rgb(data, (1, 2, 3)), [[[10, 20, 30], [1, 2, 3]]])


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_rgba_is_composited_on_the_background(alpha, encode):
    data = encode(np.array([[[200, 100, 0, alpha]]], np.uint8))
    background = np.array([0, 255, 255])
    expected = background + (np.array([200, 100, 0]) - background) * alpha / 255
    assert np.abs(rgb(data, (0, 255, 255))[0, 0] - expected).max() <= 1


def test_grey_with_alpha_is_composited_and_stays_grey(encode):
    data = encode(Image.fromarray(np.array([[[50, 255], [50, 0]]], np.uint8), "LA"))
    header = read_header(data)
    assert header.is_grey
    assert header.has_alpha
    np.testing.assert_array_equal(grey(data, (90, 90, 90)), [[50, 90]])


def test_transparent_colour_of_an_rgb_png_shows_the_background(encode):
    pixels = np.array([[[9, 9, 9], [80, 0, 0]]], np.uint8)
    data = encode(pixels, transparency=(9, 9, 9))
    np.testing.assert_array_equal(rgb(data), [[[255, 255, 255], [80, 0, 0]]])


@pytest.mark.parametrize("kind", ["tiff", "jpeg"])
def test_cmyk_is_converted(kind, encode):
    data = encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), kind)
    assert np.abs(rgb(data).astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("mode", ["YCbCr", "RGBX"])
def test_other_colour_modes_are_converted(mode, encode):
    image = Image.new("RGB", (4, 4), (200, 30, 60)).convert(mode)
    assert np.abs(rgb(encode(image, "tiff")).astype(int) - [200, 30, 60]).max() <= 2


def test_colour_becomes_luma_when_one_channel_is_asked_for(encode):
    data = encode(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    np.testing.assert_array_equal(grey(data), [[76, 150, 29]])  # 0.299, 0.587, 0.114 of 255


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_animation_gives_its_first_frame(kind, encode):
    frames = [Image.new("RGB", (6, 6), colour) for colour in [(255, 0, 0), (0, 255, 0)]]
    options = {"lossless": True} if kind == "webp" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(rgb(data)[0, 0], [255, 0, 0])


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation, encode):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 250  # only the upper left quarter is bright
    inverse = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: np.rot90(upright.transpose(1, 0, 2), 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encode(np.ascontiguousarray(inverse), kind, exif=exif)
    assert read_header(data).size == (16, 32)
    assert np.abs(rgb(data).astype(int) - upright).max() <= 16  # JPEG and WebP are lossy


def test_exif_behind_the_pixels_of_a_png_is_applied(png_file):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = png_file(6, 4, bytes(4 * (1 + 6 * 3)), after=[(b"eXIf", exif.tobytes()[6:])])
    assert read_header(data).size == (6, 4)
    assert rgb(data).shape == (6, 4, 3)


def test_damaged_exif_does_not_spoil_the_image(encode):
    data = encode(np.full((4, 6, 3), 7, np.uint8), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    np.testing.assert_array_equal(rgb(data), np.full((4, 6, 3), 7))


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "gif", "webp"])
def test_truncated_file_is_refused(kind, encode, noise):
    data = encode(noise(0, 64, 64), kind)
    with pytest.raises(DataError):
        rgb(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"This is a text.\n" * 40, b"", b"\0" * 500, b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_no_image_is_refused(data):
    with pytest.raises(DataError, match="not an image of a known format"):
        read_header(data)


def test_postscript_is_never_run():
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(DataError, match="known format"):
        rgb(program)


def test_huge_header_is_refused_at_once(png_file):
    data = png_file(60_000, 60_000, b"\0" * 1000)
    begin = time.perf_counter()
    for read in (read_header, rgb):
        with pytest.raises(DataError, match="more than 178 megapixels"):
            read(data)
    # Making an array of that size alone takes longer than this.
    assert time.perf_counter() - begin < 1
