"""A study as a report sees it: its record, each cell's numbers checked, and what seeds have in common."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from stylegraft.errors import ConfigError, InputError
from stylegraft.report.charts import Line, spans_more_than
from stylegraft.report.reading import number, read_object
from stylegraft.transfer.study.config import SCRATCH
from stylegraft.transfer.study.record import RECORD_NAME, Cell, MeasuredPoint, StudyRecord

_NUM_COLOURS = 8
_MOST_POINTS = 200
_LOG_FROM = 4.0
_MOST_CELLS = 5000
_MOST_LETTERS = 120


@dataclass(frozen=True)
class Start:
    """What a source came to on a target, over seeds; what is None was not measured.

    Attributes:
        source: its name.
        colour: class of its colour in the page, the same on every target.
        cells: of all seeds.
        best: lowest distance of each finished seed.
        median: of these.
        best_sec: median seconds until then.
        reach_sec: median seconds until the distance was that of scratch at its best.
        num_reached: seeds that came there.
    """

    source: str
    colour: str
    cells: list[Cell]
    best: list[float]
    median: float | None
    best_sec: float | None
    reach_sec: float | None
    num_reached: int

    @property
    def done(self) -> list[Cell]:
        """Its finished cells."""
        return [cell for cell in self.cells if cell.state == "done"]


@dataclass(frozen=True)
class TargetStarts:
    """All sources on one target, in the order of the study.

    Attributes:
        name: of the target.
        starts: one a source.
        floor: what real images score, or None.
    """

    name: str
    starts: list[Start]
    floor: float | None

    @property
    def cells(self) -> list[Cell]:
        """All of its cells."""
        return [cell for start in self.starts for cell in start.cells]

    @property
    def ranking(self) -> list[Start]:
        """The sources with a distance, the best first."""
        measured = [start for start in self.starts if start.median is not None]
        return sorted(measured, key=lambda start: start.median or 0.0)

    @property
    def scratch(self) -> Start | None:
        """The start without a source, if it was measured."""
        found = [start for start in self.starts if start.source == SCRATCH and start.median is not None]
        return found[0] if found else None


def is_study(folder: Path) -> bool:
    """Returns whether a folder has the record of a study."""
    return (folder / RECORD_NAME).is_file()


def read_study(folder: Path) -> StudyRecord:
    """Returns the record of a study with finite numbers only.

    Raises:
        InputError: it is damaged, or of another schema.
    """
    path = folder / RECORD_NAME
    values = read_object(path, "the record of a study")
    try:
        record = StudyRecord.from_dict(values)
    except ConfigError as error:
        raise InputError(
            f"{path}: expected the record of a study, got {str(error).rstrip('.')}. Restore it from a copy, "
            "or read it with the release that wrote it."
        ) from error
    names = [*record.settings.sources, *(target.name for target in record.settings.targets)]
    longest = max(map(len, names), default=0)
    if len(record.cells) > _MOST_CELLS or longest > _MOST_LETTERS:
        raise InputError(
            f"{path}: expected at most {_MOST_CELLS} cells and names of {_MOST_LETTERS} letters, got "
            f"{len(record.cells)} and {longest}. A page of that could not be read."
        )
    return record.replace(cells=tuple(_checked(cell) for cell in record.cells))


def target_starts(record: StudyRecord) -> list[TargetStarts]:
    """Returns what each source came to on each target."""
    colours = source_colours(record)
    found = []
    for target in record.settings.targets:
        of_target = [cell for cell in record.cells if cell.target == target.name]
        wanted = _scratch_level(of_target)
        starts = [
            _start(source, colours[source], [cell for cell in of_target if cell.source == source], wanted)
            for source in record.settings.sources
        ]
        floors = [cell.floor for cell in of_target if cell.floor is not None]
        found.append(TargetStarts(target.name, starts, statistics.median(floors) if floors else None))
    return found


def source_colours(record: StudyRecord) -> dict[str, str]:
    """Returns the class of each source's colour; scratch is grey."""
    names = [source for source in record.settings.sources if source != SCRATCH]
    colours = {name: f"source{place % _NUM_COLOURS}" for place, name in enumerate(names)}
    return colours | {SCRATCH: "scratch"}


def is_log_better(targets: Sequence[TargetStarts]) -> bool:
    """Returns whether distances span so much that the good ones are hard to tell apart; for all panels."""
    return any(
        spans_more_than(_LOG_FROM, [point.distance for cell in target.cells for point in cell.curve])
        for target in targets
    )


def median_line(start: Start, by_minutes: bool) -> Line | None:
    """Returns the median of the distances of a source's seeds over time, with their range; None without any.

    Seeds measure at moments of their own: between two of them a curve is taken as straight. The line ends
    where the first of the seeds ends. Finished cells count; where there are none yet, those that run.

    Args:
        start: a source on a target.
        by_minutes: time is minutes of training, rather than thousands of images.
    """
    cells = [cell for cell in (start.done or start.cells) if cell.curve]
    if not cells:
        return None
    curves = [[(_time(point, by_minutes), point.distance) for point in cell.curve] for cell in cells]
    begin, end = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    moments = sorted({x for curve in curves for x, _ in curve if begin <= x <= end})
    if len(moments) > _MOST_POINTS:
        moments = [moments[place * (len(moments) - 1) // (_MOST_POINTS - 1)] for place in range(_MOST_POINTS)]
    if not moments:
        return None
    values = [[_between(curve, x) for curve in curves] for x in moments]
    spread = len(curves) > 1
    return Line(
        name=start.source,
        x=moments,
        y=[statistics.median(at) for at in values],
        low=[min(at) for at in values] if spread else None,
        high=[max(at) for at in values] if spread else None,
        colour=start.colour,
    )


def _checked(cell: Cell) -> Cell:
    """The cell without numbers that are not finite, its curve by time."""
    points = sorted((point for point in cell.curve if _is_finite(point)), key=lambda point: point.kimg)
    return cell.replace(
        curve=tuple(points),
        best=cell.best if cell.best is not None and _is_finite(cell.best) else None,
        final=cell.final if cell.final is not None and _is_finite(cell.final) else None,
        floor=number(cell.floor),
        kimg=number(cell.kimg),
        train_sec=number(cell.train_sec),
        img_per_sec=number(cell.img_per_sec),
    )


def _is_finite(point: MeasuredPoint) -> bool:
    values = (point.kimg, point.train_sec, point.distance)
    return all(number(value) is not None and value >= 0 for value in values)


def _scratch_level(cells: Sequence[Cell]) -> float | None:
    best = _best_of([cell for cell in cells if cell.source == SCRATCH])
    return statistics.median(best) if best else None


def _best_of(cells: Sequence[Cell]) -> list[float]:
    return [cell.best.distance for cell in cells if cell.state == "done" and cell.best is not None]


def _start(source: str, colour: str, cells: list[Cell], wanted: float | None) -> Start:
    best = _best_of(cells)
    done = [cell for cell in cells if cell.state == "done" and cell.best is not None]
    reached = []
    if wanted is not None:
        reached = [sec for cell in done if (sec := _first_below(cell, wanted)) is not None]
    return Start(
        source=source,
        colour=colour,
        cells=cells,
        best=best,
        median=statistics.median(best) if best else None,
        best_sec=statistics.median(cell.best.train_sec for cell in done if cell.best) if done else None,
        reach_sec=statistics.median(reached) if reached else None,
        num_reached=len(reached),
    )


def _first_below(cell: Cell, distance: float) -> float | None:
    """Seconds until a curve first was as low; what was measured, nothing in between."""
    return next((point.train_sec for point in cell.curve if point.distance <= distance), None)


def _time(point: MeasuredPoint, by_minutes: bool) -> float:
    return point.train_sec / 60 if by_minutes else point.kimg


def _between(curve: Sequence[tuple[float, float]], x: float) -> float:
    """The value of a curve at a moment within it."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x <= x1:
            return y1 if x1 == x0 else y0 + (y1 - y0) * max(x - x0, 0.0) / (x1 - x0)
    return curve[-1][1]
