"""The same seeds over time: the pictures behind a page's slider, and strips of single seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylegraft.report.embedding import large_pictures, no_wider
from stylegraft.report.reading import is_inside
from stylegraft.report.run_data import RunData
from stylegraft.report.run_facts import kimg_text
from stylegraft.report.sheets import Sheet, choose, open_sheet, tiled

_MOST_FRAMES = 30
_MOST_MOMENTS = 8
_MOST_SEEDS = 8
_FRAMES_BYTES = 8_000_000
_REALS_BYTES = 500_000
_STRIPS_BYTES = 1_500_000


@dataclass(frozen=True)
class Frame:
    """A picture behind the slider: its address, its moment, and the moment in words.

    `shape` has the rows and columns of its images, or zeros where it could not be cut into them.
    """

    uri: str
    kimg: float
    words: str
    shape: tuple[int, int]


@dataclass(frozen=True)
class Strips:
    """The same seeds at the same moments, a column a moment.

    Attributes:
        moments: a heading a column: thousands of images, and what is special about it.
        rows: a name and the address of a picture each.
    """

    moments: list[tuple[str, str]]
    rows: list[tuple[str, str]]


def film_frames(run: RunData) -> list[Frame]:
    """Returns the pictures behind the slider by time, small enough together for one page."""
    chosen = choose(run.sheets, _MOST_FRAMES, wanted_kimg=_best_kimg(run))
    shown = []
    for sheet in chosen:
        opened = open_sheet(sheet, run.img_size)
        if opened is not None:
            shape = (0, 0) if opened.cells is None else (opened.cells.shape[0], opened.cells.shape[1])
            shown.append((sheet.kimg, no_wider(opened.picture), shape))
    if not shown:
        return []
    addresses = large_pictures([picture for _, picture, _ in shown], _FRAMES_BYTES)
    return [
        Frame(address, kimg, _words(run, kimg), shape) for address, (kimg, _, shape) in zip(addresses, shown)
    ]


def real_picture(run: RunData) -> str:
    """Returns the address of the run's sheet of real images, or an empty string."""
    path = run.folder / "samples" / "reals.png"
    if not path.is_file() or not is_inside(path, run.folder):
        return ""
    opened = open_sheet(Sheet(0.0, path), run.img_size)
    return "" if opened is None else large_pictures([opened.picture], _REALS_BYTES)[0]


def seed_strips(run: RunData) -> tuple[Strips, np.ndarray] | None:
    """Returns strips of the first seeds, or of one seed a class; None where sheets cannot be cut.

    With them the images that they show, uint8 [moments, rows, H, W, C].
    """
    found: list[tuple[float, np.ndarray]] = []
    for sheet in choose(run.sheets, _MOST_MOMENTS, power=2.0, wanted_kimg=_best_kimg(run)):
        opened = open_sheet(sheet, run.img_size)
        if opened is None or opened.cells is None:
            continue
        seeds = (opened.cells[:, 0] if run.class_names else opened.cells[0, :_MOST_SEEDS]).copy()
        if not found or seeds.shape == found[0][1].shape:
            found.append((sheet.kimg, seeds))
    if len(found) < 2:
        return None
    images = np.stack([seeds for _, seeds in found])
    names = run.class_names or [f"seed {seed}" for seed in range(images.shape[1])]
    pictures = large_pictures([tiled(images[None, :, row]) for row in range(images.shape[1])], _STRIPS_BYTES)
    headings = [_heading(run, kimg) for kimg, _ in found]
    return Strips(headings, list(zip(names, pictures))), images


def _best_kimg(run: RunData) -> float | None:
    return None if run.best is None else run.best.kimg


def _heading(run: RunData, kimg: float) -> tuple[str, str]:
    if kimg == 0:
        return "0 kimg", run.source_name or "random weights"
    return kimg_text(kimg), "best" if run.best is not None and run.best.kimg == kimg else ""


def _words(run: RunData, kimg: float) -> str:
    words = kimg_text(kimg)
    if kimg == 0:
        words += f", {run.source_name} as it was" if run.source_name else ", random weights"
    measured = [point for point in run.distances if abs(point.kimg - kimg) < 5e-4]
    if measured:
        words += f", distance {measured[0].distance:.4g}"
        if run.best is not None and measured[0] == run.best:
            words += " (best)"
    return words
