"""The pictures of a study: for each target the same seeds from each source, over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.errors import InputError
from stylegraft.report.embedding import large_pictures
from stylegraft.report.film import Strips
from stylegraft.report.numbers import percent
from stylegraft.report.reading import is_inside, read_object
from stylegraft.report.run_data import CONFIG_NAME, img_size_of
from stylegraft.report.sheets import Sheet, list_sheets, open_sheet, tiled
from stylegraft.report.study_data import Start, TargetStarts

# Shares of a run; most changes at the beginning. Runs with few sheets show fewer moments.
_SHARES = ((0.0, 0.05, 0.15, 0.4, 1.0), (0.0, 0.15, 0.4, 1.0), (0.0, 0.4, 1.0), (0.0, 1.0))
_NUM_SEEDS = 2
_TOTAL_BYTES = 9_000_000
_MOST_RUNS = 120  # cells whose pictures are opened
_SAME_END = 1.02  # budgets in kimg end within a step of each other, budgets in minutes where they come to


@dataclass(frozen=True)
class TargetPictures:
    """The strips of a target: a row a source, first one seed over time and then the next."""

    target: str
    strips: Strips


@dataclass(frozen=True)
class _Run:
    """A finished cell that left pictures: its source, its sheets by time, and the size of its images."""

    source: str
    sheets: list[Sheet]
    img_size: tuple[int, int]

    def nearest(self, shares: Sequence[float]) -> list[Sheet]:
        end = self.sheets[-1].kimg
        return [min(self.sheets, key=lambda sheet: abs(sheet.kimg - share * end)) for share in shares]


def study_pictures(study: Path, targets: Sequence[TargetStarts]) -> list[TargetPictures]:
    """Returns the strips of each target whose finished cells left pictures; all fit into one page.

    Args:
        study: its folder.
        targets: what came out of it.
    """
    found: list[tuple[str, list[tuple[str, str]], list[str], list[Image.Image]]] = []
    num_left = _MOST_RUNS
    for target in targets:
        runs = [run for start in target.starts if (run := _run_of(study, start)) is not None][:num_left]
        num_left -= len(runs)
        shares = next((shares for shares in _SHARES if _have_all(runs, shares)), ())
        rows = [(run.source, images) for run in runs if (images := _images(run, shares)) is not None]
        # The cells of a target have one size; what differs is no study of ours.
        if len({images.shape for _, images in rows}) == 1:
            pictures = [tiled(images) for _, images in rows]
            found.append((target.name, _headings(runs, shares), [name for name, _ in rows], pictures))
    budget = _TOTAL_BYTES // max(len(found), 1)
    return [
        TargetPictures(name, Strips(headings, list(zip(names, large_pictures(pictures, budget)))))
        for name, headings, names, pictures in found
    ]


def _run_of(study: Path, start: Start) -> _Run | None:
    for cell in start.done:
        folder = study / cell.folder
        if not is_inside(folder, study) or not folder.is_dir():
            continue
        sheets = list_sheets(folder)
        try:
            size = img_size_of(read_object(folder / CONFIG_NAME, "the settings of a run"))
        except InputError:
            continue
        if len(sheets) > 1 and size is not None:
            return _Run(start.source, sheets, size)
    return None


def _have_all(runs: Sequence[_Run], shares: Sequence[float]) -> bool:
    """Whether each run has a sheet of its own for each moment, so that none is shown under another's name."""
    return all(len({sheet.kimg for sheet in run.nearest(shares)}) == len(shares) for run in runs)


def _images(run: _Run, shares: Sequence[float]) -> np.ndarray | None:
    """uint8 [1, seeds x moments, H, W, C] of the first seeds."""
    opened = [open_sheet(sheet, run.img_size) for sheet in run.nearest(shares)]
    cells = [one.cells for one in opened if one is not None and one.cells is not None]
    if len(cells) < 2 or len(cells) < len(shares) or len({cell.shape for cell in cells}) > 1:
        return None
    return np.concatenate([[one[0, seed] for one in cells] for seed in range(_NUM_SEEDS)])[None]


def _headings(runs: Sequence[_Run], shares: Sequence[float]) -> list[tuple[str, str]]:
    ends = [run.sheets[-1].kimg for run in runs]
    if max(ends) <= _SAME_END * min(ends):
        moments = [f"{share * max(ends):.2g} kimg" for share in shares[:-1]] + [f"{max(ends):.3g} kimg"]
    else:
        moments = [percent(share) for share in shares]
    return [
        (moment, f"seed {seed}" if place == 0 else "")
        for seed in range(_NUM_SEEDS)
        for place, moment in enumerate(moments)
    ]
