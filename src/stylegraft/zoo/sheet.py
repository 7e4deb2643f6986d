"""One picture of the whole zoo: a labelled row of samples a source, cut out of the grids that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.errors import CheckpointError
from stylegraft.pictures import Pixels, timeline_strip
from stylegraft.zoo.catalogue import Entry

GRID_COLUMNS = 8
GRID_GAP_PX = 2
_SHEET_COLUMNS = 12


def zoo_sheet(entries: Sequence[Entry], columns: int = _SHEET_COLUMNS) -> Image.Image:
    """Lays out a row of pictures for each source: those of its first seeds.

    Args:
        entries: at least one; their pictures have one size.
        columns: pictures a row, at most 64.

    Raises:
        CheckpointError: a grid is missing or damaged.
    """
    return timeline_strip([(entry.title, grid_pictures(entry.grid)[:columns]) for entry in entries])


def grid_pictures(path: Path) -> Pixels:
    """Returns the 64 pictures of a grid in the order of their seeds, uint8 [64, H, W, 3].

    Raises:
        CheckpointError: the file is missing or no grid.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except OSError as error:
        raise CheckpointError(
            f"{path}: expected a grid of pictures, got {error}. Install stylegraft anew."
        ) from error
    step_y, step_x = ((side + GRID_GAP_PX) // GRID_COLUMNS for side in pixels.shape[:2])
    rows = [
        pixels[row * step_y :][: step_y - GRID_GAP_PX, column * step_x :][:, : step_x - GRID_GAP_PX]
        for row in range(GRID_COLUMNS)
        for column in range(GRID_COLUMNS)
    ]
    return np.stack(rows)
