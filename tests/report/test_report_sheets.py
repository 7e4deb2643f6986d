import zlib

import numpy as np
import pytest
from PIL import Image
from report_cases import write_run

from stylegraft.pictures import grid_cells, image_grid
from stylegraft.report.embedding import large_pictures, no_wider
from stylegraft.report.sheets import Sheet, choose, list_sheets, open_sheet


def tiles(num, height, width, channels=3):
    return np.random.RandomState(0).randint(0, 256, [num, height, width, channels], np.uint8)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (48, 64), (100, 80), (128, 16)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("captions", [None, ["boots", "bags", "coats"]])
@pytest.mark.parametrize("title", [None, "12.0 kimg", "12.0 kimg, 8 x 8 px, faded in by 50%"])
def test_sheet_is_cut_into_the_images_it_was_made_of(height, width, channels, captions, title):
    images = tiles(30, height, width, channels)
    cells = grid_cells(image_grid(images, 10, row_captions=captions, title=title), height, width, 10)
    if width == 16 < height and captions and title and len(title) > 20:
        assert cells is None, (
            "narrow images between captions and a wider title: nothing says where they begin"
        )
        return
    assert cells is not None
    scale = cells.shape[2] // height
    assert cells.shape == (3, 10, height * scale, width * scale, channels)
    assert (cells[:, :, ::scale, ::scale].reshape(images.shape) == images).all()


def test_sheet_of_other_columns_or_sizes_is_not_cut():
    sheet = image_grid(tiles(30, 16, 16), 10, title="1.0 kimg")
    assert grid_cells(sheet, 24, 16, 10) is None
    assert grid_cells(sheet, 16, 16, 11) is None
    assert grid_cells(Image.fromarray(tiles(1, 220, 658)[0]), 16, 16, 10) is None


def test_chosen_moments_have_both_ends_and_the_wanted_one():
    sheets = [Sheet(float(kimg), None) for kimg in range(100)]
    even = [sheet.kimg for sheet in choose(sheets, 4)]
    assert even == [0.0, 33.0, 66.0, 99.0]
    early = [sheet.kimg for sheet in choose(sheets, 4, power=2.0)]
    assert early == [0.0, 11.0, 44.0, 99.0]
    assert [sheet.kimg for sheet in choose(sheets, 4, wanted_kimg=70.0)] == [0.0, 33.0, 70.0, 99.0]
    assert [sheet.kimg for sheet in choose(sheets, 4, wanted_kimg=70.5)] == even
    assert choose(sheets[:3], 4) == sheets[:3]
    # Many sheets at the beginning and one at the end: each moment has one of its own all the same.
    crowded = [Sheet(kimg, None) for kimg in (0.0, 0.1, 0.2, 0.3, 0.4, 90.0)]
    assert [sheet.kimg for sheet in choose(crowded, 4)] == [0.0, 0.3, 0.4, 90.0]


def test_sheets_are_by_time_and_inside_the_run(tmp_path):
    write_run(tmp_path / "run", moments=(0.0, 2.0, 10.0))
    samples = tmp_path / "run" / "samples"
    (samples / "kimg-nan.png").write_bytes(b"")
    (samples / "kimg-what.png").write_bytes(b"")
    outside = tmp_path / "secret.png"
    outside.write_bytes((samples / "reals.png").read_bytes())
    (samples / "kimg-000005.000.png").symlink_to(outside)
    assert [sheet.kimg for sheet in list_sheets(tmp_path / "run")] == [0.0, 2.0, 10.0]


def png_of_size(width, height):
    """A PNG whose header announces so many pixels, with a few bytes of data."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        png_of_size(12000, 12000),
        png_of_size(60000, 60000),
        png_of_size(9, 9),
    ],
)
def test_file_that_is_no_sheet_is_left_out(tmp_path, data):
    path = tmp_path / "kimg-000001.000.png"
    path.write_bytes(data)
    assert open_sheet(Sheet(1.0, path), (16, 16)) is None


def test_picture_without_known_size_is_shown_whole(tmp_path):
    write_run(tmp_path / "run")
    sheet = list_sheets(tmp_path / "run")[0]
    whole, cut = open_sheet(sheet, None), open_sheet(sheet, (16, 16))
    assert whole is not None
    assert cut is not None
    assert (whole.cells, cut.cells.shape[:2]) == (None, (2, 10))
    assert whole.picture.size == (658, 2 * 66 - 2 + 28)
    assert cut.picture.size == (640, 128)


def test_pictures_are_made_smaller_until_they_fit_together():
    images = [Image.fromarray(tiles(1, 700, 1400)[0]) for _ in range(3)]
    assert no_wider(images[0]).size == (1300, 650)
    large = sum(map(len, large_pictures(images, 10**9)))
    small = sum(map(len, large_pictures(images, 400_000)))
    assert large > 2_000_000
    assert small < 400_000 * 4 / 3 + 3 * 100  # of bytes, four letters for three
    assert len(large_pictures(images, 1)) == 3, "the smallest there is, where nothing fits"
