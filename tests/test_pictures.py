import numpy as np
import pytest
from PIL import Image

from stylegraft.errors import InputError, RunError
from stylegraft.pictures import before_after, image_grid, save_grid, save_picture, timeline_strip


def tiles(num, size=64, channels=3, first=0):
    """Tile i is a flat image of grey level 10 (i + 1)."""
    levels = 10 * (np.arange(first, first + num, dtype=np.uint8) + 1)
    return np.broadcast_to(levels[:, None, None, None], (num, size, size, channels)).copy()


def test_grid_puts_images_in_reading_order_with_gaps():
    sheet = np.asarray(image_grid(tiles(5), columns=3, gap_px=4))
    assert sheet.shape == (64 * 2 + 4, 64 * 3 + 8, 3)
    for index in range(5):
        y, x = index // 3 * 68, index % 3 * 68
        assert (sheet[y : y + 64, x : x + 64] == 10 * (index + 1)).all()
    assert (sheet[64:68] == 255).all()
    assert (sheet[68:, 136:] == 255).all(), "the empty place stays white"


def test_grid_is_about_square_without_columns():
    assert image_grid(tiles(9), gap_px=0).size == (192, 192)
    assert image_grid(tiles(10), gap_px=0).size == (256, 192)


def test_grid_enlarges_tiny_images_by_whole_pixels():
    image = np.random.RandomState(0).randint(0, 255, (1, 16, 16, 3)).astype(np.uint8)
    sheet = np.asarray(image_grid(image))
    np.testing.assert_array_equal(sheet, image[0].repeat(4, 0).repeat(4, 1))
    assert image_grid(image, scale=1).size == (16, 16)
    assert image_grid(tiles(1, size=100)).size == (100, 100)


@pytest.mark.parametrize("shape", [(4, 64, 64), (4, 64, 64, 1)])
def test_grey_images_make_a_grey_sheet(shape):
    sheet = image_grid(np.full(shape, 7, np.uint8), row_captions=["a", "b"], title="grey")
    assert sheet.mode == "L"
    assert (np.asarray(sheet) == 7).sum() >= 4 * 64 * 64


def test_captions_and_title_add_room_and_ink_but_leave_the_images_alone():
    plain = image_grid(tiles(4), columns=2)
    sheet = image_grid(tiles(4), columns=2, row_captions=["black", "navy"], title="beans")
    left, top = sheet.width - plain.width, sheet.height - plain.height
    assert left > 0
    assert top > 0
    pixels = np.asarray(sheet)
    np.testing.assert_array_equal(pixels[top:, left:], np.asarray(plain))
    assert pixels[:top].min() < 128, "the title is written"
    for row in range(2):
        beside = pixels[top + row * 66 : top + row * 66 + 64, :left]
        assert beside.min() < 128, "the caption is written beside its row"
        dark = np.argwhere(beside[..., 0] < 128)[:, 0]
        assert abs(dark.mean() - 32) < 4, "the caption stands in the middle of its row"


def test_a_long_title_is_not_cut():
    short = image_grid(tiles(1), title="a")
    assert image_grid(tiles(1), title="a" * 60).width > short.width == 64


def test_before_after_lays_two_grids_side_by_side():
    sheet = np.asarray(before_after(tiles(4), tiles(4, first=10), columns=2))
    assert sheet.shape[1] == 130 + 24 + 130
    np.testing.assert_array_equal(sheet[-130:, :130], np.asarray(image_grid(tiles(4), 2)))
    np.testing.assert_array_equal(sheet[-130:, -130:], np.asarray(image_grid(tiles(4, first=10), 2)))


def test_before_after_takes_grey_beside_colour():
    assert before_after(tiles(1, channels=1), tiles(1)).mode == "RGB"
    assert before_after(tiles(1, channels=1), tiles(1, channels=1)).mode == "L"


def test_timeline_has_one_row_per_moment():
    sheet = np.asarray(timeline_strip([("0 kimg", tiles(3)), ("40 kimg", tiles(3, first=5))]))
    assert sheet.shape[0] == 130
    np.testing.assert_array_equal(
        sheet[:, -196:], np.asarray(image_grid(np.concatenate([tiles(3), tiles(3, first=5)]), 3))
    )


@pytest.mark.parametrize("rows", [[], [("a", tiles(2)), ("b", tiles(3))]])
def test_timeline_refuses_unequal_or_no_rows(rows):
    with pytest.raises(InputError, match="same number and size"):
        timeline_strip(rows)


@pytest.mark.parametrize(
    "images",
    [
        tiles(0),
        tiles(1).astype(np.float32),
        tiles(1, channels=2),
        tiles(1)[0, 0],
        np.zeros((1, 3, 64, 64), np.uint8),
    ],
)
def test_grid_refuses_what_is_no_images(images):
    with pytest.raises(InputError, match="expected at least one, uint8"):
        image_grid(images)


@pytest.mark.parametrize("options", [{"columns": 0}, {"gap_px": -1}, {"scale": 0}])
def test_grid_refuses_impossible_layouts(options):
    with pytest.raises(InputError, match="got columns="):
        image_grid(tiles(2), **options)


def test_grid_refuses_a_wrong_number_of_captions():
    with pytest.raises(InputError, match="expected 2 row captions"):
        image_grid(tiles(4), columns=2, row_captions=["one"])


def test_saved_grid_reads_back_and_is_the_same_bytes_each_time(tmp_path):
    first = save_grid(tmp_path / "new" / "a.png", tiles(4), 2, title="beans")
    second = save_picture(tmp_path / "b.png", image_grid(tiles(4), 2, title="beans"))
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(image_grid(tiles(4), 2, title="beans")))


def test_saving_below_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        save_grid(tmp_path / "file" / "a.png", tiles(1))
