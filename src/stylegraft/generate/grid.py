"""The contact sheet of a generated set: as many of its images side by side as one PNG can show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylegraft.errors import InputError
from stylegraft.files import make_folder
from stylegraft.generate.plan import PlannedImage
from stylegraft.pictures import save_grid

# Larger sheets are slow to open and show nothing more. A cell has room for small images, which are enlarged.
MAX_SIDE_PX = 4096
_MIN_CELL_PX = 66


class Sheet:
    """A contact sheet that grows image by image and is written once; what no longer fits is left out."""

    def __init__(self, path: Path, overwrite: bool, per_class: int | None) -> None:
        """Checks the place before any work is done.

        Args:
            path: the PNG to write.
            overwrite: it may exist already.
            per_class: images of each class, which then fill a row with its name; None: about square.

        Raises:
            InputError: the name is in use or does not end with .png, or the place cannot be written.
        """
        if path.suffix.lower() != ".png":
            raise InputError(f"--grid {path}: expected a name that ends with .png. Rename it.")
        if path.is_dir() or (path.exists() and not overwrite):
            raise InputError(f"--grid {path}: expected a free name, got one in use. Choose another.")
        make_folder(path.parent, "--grid")
        self.path = path
        self._per_class = per_class
        self._shown: list[tuple[PlannedImage, NDArray[np.uint8]]] = []

    def add(self, planned: PlannedImage, picture: NDArray[np.uint8]) -> None:
        """Adds an image, uint8 [H, W, C]."""
        rows, columns = self._capacity(picture)
        if len(self._shown) < rows * columns:
            self._shown.append((planned, picture))

    def write(self) -> None:
        """Writes the sheet; it appears whole or not at all.

        Raises:
            RunError: the disk is full.
        """
        pictures = np.stack([picture for _, picture in self._shown])
        columns, captions = self._per_class, None
        if columns is not None and columns <= self._capacity(pictures[0])[1]:
            captions = [planned.class_name or "" for planned, _ in self._shown[::columns]]
        else:
            columns = None
        save_grid(self.path, pictures, columns, row_captions=captions)

    def _capacity(self, picture: NDArray[np.uint8]) -> tuple[int, int]:
        """Returns how many rows and columns of such images a sheet holds."""
        height, width = (max(1, MAX_SIDE_PX // max(side + 2, _MIN_CELL_PX)) for side in picture.shape[:2])
        if self._per_class is not None and self._per_class <= width:
            width = self._per_class
        return height, width
