"""The order of the sources for each target: the median over seeds of the best distance. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from stylegraft.transfer.study.record import Cell, StudyRecord


@dataclass(frozen=True)
class Place:
    """A source among those of a target; what is None was not measured.

    Attributes:
        source: its name.
        median: over seeds, of the lowest distance of a cell.
        low: the lowest of these distances.
        high: the highest.
        kimg: median of the thousands of images after which it was reached.
        train_sec: median of the seconds after which it was reached.
        num_seeds: finished cells with a distance.
        num_failed: cells that failed.
        num_left: cells that have not ended.
    """

    source: str
    median: float | None
    low: float | None
    high: float | None
    kimg: float | None
    train_sec: float | None
    num_seeds: int
    num_failed: int
    num_left: int


@dataclass(frozen=True)
class TargetOrder:
    """The sources of a target, the nearest first; those without a distance last.

    Attributes:
        target: its name.
        floor: what real images score in place of generated ones, if it was measured.
        places: one a source.
    """

    target: str
    floor: float | None
    places: tuple[Place, ...]


def source_orders(record: StudyRecord) -> list[TargetOrder]:
    """Returns the order of the sources for each target; only finished cells count."""
    orders = []
    for target in record.settings.targets:
        cells = [cell for cell in record.cells if cell.target == target.name]
        places = [
            _place(source, [cell for cell in cells if cell.source == source])
            for source in record.settings.sources
        ]
        places.sort(key=lambda place: float("inf") if place.median is None else place.median)
        floors = [cell.floor for cell in cells if cell.floor is not None]
        floor = statistics.median(floors) if floors else None
        orders.append(TargetOrder(target.name, floor, tuple(places)))
    return orders


def _place(source: str, cells: Sequence[Cell]) -> Place:
    best = [cell.best for cell in cells if cell.state == "done" and cell.best is not None]
    distances = [point.distance for point in best]
    return Place(
        source=source,
        median=statistics.median(distances) if best else None,
        low=min(distances, default=None),
        high=max(distances, default=None),
        kimg=statistics.median(point.kimg for point in best) if best else None,
        train_sec=statistics.median(point.train_sec for point in best) if best else None,
        num_seeds=len(best),
        num_failed=sum(cell.state == "failed" for cell in cells),
        num_left=sum(cell.state in ("pending", "running") for cell in cells),
    )
