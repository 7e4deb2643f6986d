from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegraft.data.config import DataConfig, parse_size
from stylegraft.data.fit import choose_size, fit_image
from stylegraft.errors import ConfigError, DataError

GREEN = (0, 255, 0)


def fitted(pixels: np.ndarray, size: tuple[int, int], fit: str | None) -> np.ndarray:
    return np.asarray(fit_image(Image.fromarray(pixels), size, fit, GREEN))


@pytest.mark.parametrize("fit", [None, "crop", "pad", "stretch"])
def test_image_of_the_size_is_left_untouched(fit, noise):
    pixels = noise(0, 8, 12)
    np.testing.assert_array_equal(fitted(pixels, (8, 12), fit), pixels)


def test_crop_keeps_the_middle_without_resampling(noise):
    pixels = noise(0, 8, 13)
    np.testing.assert_array_equal(fitted(pixels, (8, 8), "crop"), pixels[:, 2:10])


def test_crop_of_a_tall_image_shrinks_its_middle():
    pixels = np.zeros((40, 16, 3), np.uint8)
    pixels[12:28] = 200
    result = fitted(pixels, (8, 8), "crop").astype(int)
    # The kernel reaches over the cut, as it would if the whole image were resized and then cut.
    np.testing.assert_array_equal(result[3:5], np.full((2, 8, 3), 200))
    assert result.min() > 180


def test_pad_shows_the_whole_image_between_bars():
    result = fitted(np.full((16, 8, 3), 90, np.uint8), (8, 8), "pad")
    np.testing.assert_array_equal(result[:, 2:6], np.full((8, 4, 3), 90))
    np.testing.assert_array_equal(result[:, :2], np.broadcast_to(GREEN, (8, 2, 3)))
    np.testing.assert_array_equal(result[:, 6:], np.broadcast_to(GREEN, (8, 2, 3)))


def test_pad_of_a_grey_image_uses_the_luma_of_the_background():
    result = fit_image(Image.new("L", (8, 4), 7), (8, 8), "pad", GREEN)
    assert np.asarray(result)[0, 0] == 150


def test_stretch_fills_the_size(noise):
    assert fitted(noise(0, 10, 30), (8, 8), "stretch").shape == (8, 8, 3)


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the result can show: it must become even grey
    result = fitted(stripes, (16, 16), "stretch").astype(int)
    assert np.abs(result[:, 2:-2] - 127.5).max() <= 2  # at the edges the kernel is cut


@pytest.mark.parametrize("shape", [(1, 500), (500, 1)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_extreme_shapes_fit(shape, fit):
    assert fitted(np.zeros((*shape, 3), np.uint8), (8, 8), fit).shape == (8, 8, 3)


def test_size_is_that_of_the_images():
    assert choose_size(Path("set"), {"a.png": (6, 8), "b.png": (6, 8)}, DataConfig()) == (6, 8)


def test_mixed_sizes_name_the_common_ones_and_the_flags():
    sizes = {f"{i}.png": (64, 96) for i in range(5)} | {"odd.png": (30, 40)}
    with pytest.raises(DataError) as caught:
        choose_size(Path("set"), sizes, DataConfig())
    message = str(caught.value)
    assert "64x96 (5, such as 0.png), 30x40 (1, such as odd.png)" in message
    assert "--size 32 --fit crop" in message or "--size 16 --fit crop" in message
    assert "\n" not in message


def test_mixed_sizes_with_a_fit_still_need_a_size():
    with pytest.raises(DataError, match="--size"):
        choose_size(Path("set"), {"a.png": (6, 8), "b.png": (8, 8)}, DataConfig(fit="pad"))


def test_size_of_another_shape_needs_a_fit():
    with pytest.raises(DataError, match=r"2 of 2 images .* another shape .* --fit"):
        choose_size(Path("set"), {"a.png": (6, 8), "b.png": (6, 8)}, DataConfig(size="64"))


def test_size_of_the_same_shape_needs_no_fit():
    sizes = {"a.png": (128, 256), "b.png": (64, 128)}
    assert choose_size(Path("set"), sizes, DataConfig(size="32x64")) == (32, 64)


def test_parse_size_reads_height_then_width():
    assert parse_size("64") == (64, 64)
    assert parse_size("64x96") == (64, 96)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "64 by 96"),
        ("size", "0"),
        ("size", "64x99999"),
        ("background", "no such colour"),
        ("channels", 2),
        ("fit", "squeeze"),
        ("holdout", 0.9),
        ("max_cache_mb", -1),
        ("labels", "maybe"),
    ],
)
def test_bad_setting_is_named(field, value):
    with pytest.raises(ConfigError, match=field):
        DataConfig(**{field: value})
