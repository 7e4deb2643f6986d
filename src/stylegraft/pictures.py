"""Sheets of images: grids, before and after, samples over time. White ground, small grey captions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stylegraft.errors import InputError
from stylegraft.files import atomic_file

Pixels = NDArray[np.uint8]

_INK = 70  # Grey level of captions: calmer than black, and the same for grey and colour sheets.
_PAPER = 255
_TINY_PX = 64  # Images smaller than this are enlarged when no scale is asked for.
_MARGIN_PX = 12
_TITLE_PX = 2 * _MARGIN_PX + 4
_GAP_PX = 2


def image_grid(
    images: Pixels,
    columns: int | None = None,
    *,
    gap_px: int = _GAP_PX,
    scale: int | None = None,
    row_captions: Sequence[str] | None = None,
    title: str | None = None,
) -> Image.Image:
    """Lays images out in rows.

    Args:
        images: uint8 [N, H, W, 3], [N, H, W, 1] or [N, H, W].
        columns: images per row; None makes the sheet about square.
        gap_px: white pixels between images.
        scale: whole-number enlargement without smoothing; None enlarges images below 64 px up to about that.
        row_captions: one caption per row, written on the left; None for none.
        title: a line above the sheet; None for none.

    Returns:
        A Pillow image of mode "L" for one channel, else "RGB".

    Raises:
        InputError: no images, another shape or type, or another number of captions than of rows.
    """
    tiles = _tiles_of(images)
    columns = math.ceil(math.sqrt(len(tiles))) if columns is None else min(columns, len(tiles))
    if columns < 1 or gap_px < 0 or (scale is not None and scale < 1):
        raise InputError(
            "cannot lay out a grid: expected columns and scale of 1 or more and gap_px of 0 or more, "
            f"got columns={columns}, scale={scale}, gap_px={gap_px}. Correct the value."
        )
    num_rows = math.ceil(len(tiles) / columns)
    if row_captions is not None and len(row_captions) != num_rows:
        raise InputError(
            f"cannot caption a grid: expected {num_rows} row captions, one a row, got {len(row_captions)}. "
            "Pass one caption per row."
        )
    sheet = _join(_enlarge(tiles, scale), columns, num_rows, gap_px)
    if row_captions is not None:
        sheet = _with_row_captions(sheet, row_captions, (sheet.height + gap_px) / num_rows)
    return sheet if title is None else _with_title(sheet, title)


def before_after(
    images_a: Pixels,
    images_b: Pixels,
    captions: tuple[str, str] = ("before", "after"),
    columns: int | None = None,
    *,
    gap_px: int = _GAP_PX,
    scale: int | None = None,
) -> Image.Image:
    """Lays two grids side by side with a caption over each; the arguments are those of `image_grid`.

    Raises:
        InputError: as `image_grid`.
    """
    left = image_grid(images_a, columns, gap_px=gap_px, scale=scale, title=captions[0])
    right = image_grid(images_b, columns, gap_px=gap_px, scale=scale, title=captions[1])
    mode = left.mode if left.mode == right.mode else "RGB"
    size = (left.width + 2 * _MARGIN_PX + right.width, max(left.height, right.height))
    sheet = Image.new(mode, size, _paper(mode))
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + 2 * _MARGIN_PX, 0))
    return sheet


def timeline_strip(
    rows: Sequence[tuple[str, Pixels]],
    *,
    gap_px: int = _GAP_PX,
    scale: int | None = None,
    title: str | None = None,
) -> Image.Image:
    """Lays one row of images per moment, its caption on the left ("40 kimg"); columns are the same seeds.

    Raises:
        InputError: no rows, or rows of different numbers or sizes of images.
    """
    shapes = {np.shape(images) for _, images in rows}
    if len(shapes) != 1:
        raise InputError(
            "cannot lay out a timeline: expected rows of the same number and size of images, "
            f"got shapes {sorted(shapes)}. Sample the same seeds at each moment."
        )
    images = np.concatenate([images for _, images in rows])
    captions = [caption for caption, _ in rows]
    return image_grid(
        images, len(images) // len(rows), gap_px=gap_px, scale=scale, row_captions=captions, title=title
    )


def grid_cells(sheet: Image.Image, height: int, width: int, columns: int) -> Pixels | None:
    """Cuts a sheet of `image_grid`, with or without captions and title, into the images it was made of.

    Args:
        sheet: mode "L" or "RGB", laid out with the usual gap and scale.
        height: of an image before it was enlarged, px.
        width: likewise.
        columns: images per row.

    Returns:
        uint8 [rows, columns, H, W, C] as enlarged, or None where it is no such sheet: white gaps are missing
        where they should be. So are they where captions meet a title that is wider than the images.
    """
    scale = _scale_for(height, width)
    height, width = height * scale, width * scale
    step_y, step_x = height + _GAP_PX, width + _GAP_PX
    grid_width = columns * step_x - _GAP_PX
    pixels = np.atleast_3d(np.asarray(sheet))
    for top in (_TITLE_PX, 0):
        num_rows, rest = divmod(sheet.height - top + _GAP_PX, step_y)
        if rest or num_rows < 1 or sheet.width < grid_width:
            continue
        # A title may reach beyond the images, with white paper below it; captions stand on their left.
        is_overhung = (pixels[top:, grid_width:] == _PAPER).all()
        left = 0 if is_overhung else sheet.width - grid_width
        grid = pixels[top:, left : left + grid_width]
        grid = np.pad(grid, ((0, _GAP_PX), (0, _GAP_PX), (0, 0)), constant_values=_PAPER)
        cells = grid.reshape(num_rows, step_y, columns, step_x, -1).swapaxes(1, 2)
        if (cells[:, :, height:] == _PAPER).all() and (cells[:, :, :, width:] == _PAPER).all():
            return np.ascontiguousarray(cells[:, :, :height, :width])
    return None


def save_picture(path: str | Path, picture: Image.Image) -> Path:
    """Writes a picture as PNG; the file appears whole or not at all.

    Raises:
        RunError: the file cannot be written.
    """
    path = Path(path)
    with atomic_file(path) as file:
        picture.save(file, format="PNG")
    return path


def save_grid(
    path: str | Path,
    images: Pixels,
    columns: int | None = None,
    *,
    row_captions: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """Writes `image_grid` of the same arguments as PNG.

    Raises:
        InputError: as `image_grid`.
        RunError: the file cannot be written.
    """
    return save_picture(path, image_grid(images, columns, row_captions=row_captions, title=title))


def _tiles_of(images: Pixels) -> Pixels:
    """Checks images and gives grey ones a channel axis: uint8 [N, H, W, 1 or 3]."""
    images = np.asarray(images)
    tiles = images[..., None] if images.ndim == 3 else images
    if images.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[3] not in (1, 3) or 0 in tiles.shape:
        raise InputError(
            "cannot lay out images: expected at least one, uint8 [N, H, W, 3], [N, H, W, 1] or [N, H, W], "
            f"got {images.dtype} {list(images.shape)}. Convert them first."
        )
    return tiles


def _enlarge(tiles: Pixels, scale: int | None) -> Pixels:
    scale = scale or _scale_for(tiles.shape[1], tiles.shape[2])
    return tiles.repeat(scale, axis=1).repeat(scale, axis=2)


def _scale_for(height: int, width: int) -> int:
    """The enlargement of images for which none was asked."""
    return max(1, round(_TINY_PX / max(height, width)))


def _join(tiles: Pixels, columns: int, num_rows: int, gap_px: int) -> Image.Image:
    num, height, width, channels = tiles.shape
    step_y, step_x = height + gap_px, width + gap_px
    sheet = np.full((num_rows * step_y - gap_px, columns * step_x - gap_px, channels), _PAPER, np.uint8)
    for index in range(num):
        y, x = index // columns * step_y, index % columns * step_x
        sheet[y : y + height, x : x + width] = tiles[index]
    return Image.fromarray(sheet[..., 0] if channels == 1 else sheet)


def _with_row_captions(sheet: Image.Image, captions: Sequence[str], row_step_px: float) -> Image.Image:
    font = ImageFont.load_default(_font_px(row_step_px))
    text_width = math.ceil(max(font.getlength(caption) for caption in captions))
    left = text_width + 2 * _MARGIN_PX
    wide = Image.new(sheet.mode, (left + sheet.width, sheet.height), _paper(sheet.mode))
    wide.paste(sheet, (left, 0))
    draw = ImageDraw.Draw(wide)
    for row, caption in enumerate(captions):
        middle = (row + 0.5) * row_step_px
        draw.text((left - _MARGIN_PX, middle), caption, fill=_ink(sheet.mode), font=font, anchor="rm")
    return wide


def _with_title(sheet: Image.Image, title: str) -> Image.Image:
    font = ImageFont.load_default(_font_px(96))
    width = max(sheet.width, math.ceil(font.getlength(title)))
    tall = Image.new(sheet.mode, (width, _TITLE_PX + sheet.height), _paper(sheet.mode))
    tall.paste(sheet, (0, _TITLE_PX))
    ImageDraw.Draw(tall).text((0, _TITLE_PX / 2), title, fill=_ink(sheet.mode), font=font, anchor="lm")
    return tall


def _font_px(row_step_px: float) -> int:
    return int(min(16, max(10, row_step_px / 5)))


def _paper(mode: str) -> int | tuple[int, int, int]:
    return _PAPER if mode == "L" else (_PAPER, _PAPER, _PAPER)


def _ink(mode: str) -> int | tuple[int, int, int]:
    return _INK if mode == "L" else (_INK, _INK, _INK)
