"""The sheets of samples that a run leaves: the same seeds at each moment, as pictures and cut into images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.pictures import grid_cells
from stylegraft.report.reading import is_inside

COLUMNS = 10
"""Images in a row of a run's sheets."""

_MAX_FILE_BYTES = 256 << 20
_MAX_PIXELS = 130_000_000  # twelve rows of ten images of 1024 px
_NAME_START = "kimg-"


@dataclass(frozen=True)
class Sheet:
    """A file of samples, and after how many thousand images it was made."""

    kimg: float
    path: Path


@dataclass(frozen=True)
class OpenedSheet:
    """The pictures of a sheet.

    Attributes:
        picture: all of it, without title and captions where it could be cut.
        cells: uint8 [rows, columns, H, W, C]; None where it is no sheet of images of that size.
    """

    picture: Image.Image
    cells: np.ndarray | None


def list_sheets(run: Path) -> list[Sheet]:
    """Returns the sheets of a run by time; what leads outside of the run is left out."""
    found = []
    for path in (run / "samples").glob(f"{_NAME_START}*.png"):
        try:
            kimg = float(path.stem.removeprefix(_NAME_START))
        except ValueError:
            continue
        if math.isfinite(kimg) and kimg >= 0 and is_inside(path, run):
            found.append(Sheet(kimg, path))
    return sorted(found, key=lambda sheet: sheet.kimg)


def choose(
    sheets: Sequence[Sheet], most: int, power: float = 1.0, wanted_kimg: float | None = None
) -> list[Sheet]:
    """Returns at most so many sheets, with the first, the last and a wanted one, spread over the time.

    Args:
        sheets: by time.
        most: 3 or more.
        power: 1 spreads them evenly; 2 takes more of the beginning, where most changes.
        wanted_kimg: of a sheet that is to be among them, if there is one of that moment.
    """
    if len(sheets) <= most:
        return list(sheets)
    first, last = sheets[0].kimg, sheets[-1].kimg
    chosen = []
    for step in range(most):
        wanted = first + (last - first) * (step / (most - 1)) ** power
        # Each moment needs a sheet of its own, and leaves enough of them to those after it.
        start = chosen[-1] + 1 if chosen else 0
        candidates = range(start, len(sheets) - (most - 1 - step))
        chosen.append(min(candidates, key=lambda index: abs(sheets[index].kimg - wanted)))
    wanted_at = [index for index, sheet in enumerate(sheets) if sheet.kimg == wanted_kimg]
    if wanted_at and wanted_at[0] not in chosen:
        nearest = min(chosen[1:-1], key=lambda index: abs(sheets[index].kimg - sheets[wanted_at[0]].kimg))
        chosen = sorted({*chosen, wanted_at[0]} - {nearest})
    return [sheets[index] for index in chosen]


def open_sheet(sheet: Sheet, img_size: tuple[int, int] | None) -> OpenedSheet | None:
    """Returns the pictures of a sheet, or None if its file is no image, or one too large to be a sheet.

    Args:
        sheet: the file.
        img_size: height and width of the run's images, px; None where they are not known.
    """
    try:
        if sheet.path.stat().st_size > _MAX_FILE_BYTES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is ours, below
            with Image.open(sheet.path, formats=["PNG"]) as file:
                if file.width * file.height > _MAX_PIXELS:
                    return None
                picture = file.convert("L" if file.mode in ("1", "L") else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # Pillow has no error of its own for damaged files
    cells = None if img_size is None else grid_cells(picture, *img_size, COLUMNS)
    return OpenedSheet(picture if cells is None else tiled(cells), cells)


def tiled(cells: np.ndarray) -> Image.Image:
    """Returns images, uint8 [rows, columns, H, W, C], side by side without gaps: the page draws its own."""
    rows, columns, height, width, channels = cells.shape
    sheet = cells.swapaxes(1, 2).reshape(rows * height, columns * width, channels)
    return Image.fromarray(sheet[..., 0] if channels == 1 else np.ascontiguousarray(sheet))
