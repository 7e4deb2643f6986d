"""What one sees while a study runs: cells done, the running ones, the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from stylegraft.training.observers import tell
from stylegraft.transfer.study.record import Cell, StudyRecord

_PLAIN_SEC = 30.0


class StudyProgress:
    """A bar for the study and one for each running cell; without a terminal, a plain line now and then."""

    def __init__(self, console: Console, slots: int) -> None:
        self._console, self._slots = console, slots
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("[dim]{task.fields[scalars]}"),
            console=console,
            transient=True,
        )
        self._study = self._progress.add_task("cells", total=1.0, scalars="")
        self._bars: dict[str, TaskID] = {}
        self._last_plain = time.monotonic()
        if console.is_terminal:
            self._progress.start()

    def show(self, record: StudyRecord) -> None:
        """Shows where the study is."""
        ended = sum(cell.state in ("done", "failed") for cell in record.cells)
        shares = [_done_share(cell, record) for cell in record.cells]
        left = seconds_left(record, self._slots)
        text = "" if left is None else f"{timedelta(seconds=round(left))} left"
        self._progress.update(
            self._study,
            completed=sum(shares) / len(shares),
            description=f"{ended} of {len(shares)} cells",
            scalars=text,
        )
        running = [cell for cell in record.cells if cell.state == "running"]
        for name in self._bars.keys() - {cell.id for cell in running}:
            self._progress.remove_task(self._bars.pop(name))
        for cell in running:
            if cell.id not in self._bars:
                self._bars[cell.id] = self._progress.add_task(cell.id, total=1.0, scalars="")
            share = _done_share(cell, record)
            self._progress.update(self._bars[cell.id], completed=share, scalars=_scalars(cell))
        if not self._console.is_terminal and time.monotonic() - self._last_plain > _PLAIN_SEC:
            self._last_plain = time.monotonic()
            cells = "; ".join(f"{cell.id} {_scalars(cell)}" for cell in running)
            tell(self._console, f"{ended} of {len(shares)} cells  {text}  {cells}")

    def tell_end(self, cell: Cell) -> None:
        """Says how a cell ended."""
        if cell.state == "done":
            distance = "" if cell.best is None else f", best FD-EffLite0 {cell.best.distance:.2f}"
            minutes = (cell.train_sec or 0) / 60
            tell(
                self._console,
                f"done       {cell.id}: {cell.kimg or 0:.1f} kimg in {minutes:.1f} min{distance}",
            )
        elif cell.state == "failed":
            tell(self._console, f"failed     {cell.id}: {cell.error}")

    def close(self) -> None:
        """Takes the bars away."""
        if self._console.is_terminal:
            self._progress.stop()


def seconds_left(record: StudyRecord, slots: int) -> float | None:
    """Returns the seconds until the last cell ends, by the pace so far; None before there is one.

    Args:
        record: the study.
        slots: cells at a time.
    """
    shares: Sequence[tuple[Cell, float]] = [(cell, _done_share(cell, record)) for cell in record.cells]
    spent = sum(cell.train_sec or 0.0 for cell, share in shares if share)
    trained = sum(share for _, share in shares)
    if not trained or not spent:
        return None
    left = [1 - share for cell, share in shares if cell.state in ("pending", "running")]
    # Cells side by side, but never less than the longest of them.
    return max(sum(left) / slots, max(left, default=0.0)) * spent / trained


def _done_share(cell: Cell, record: StudyRecord) -> float:
    """The finished share of a cell, 0 to 1; one that is done may have stopped early."""
    if cell.state == "done":
        return 1.0
    kimg, minutes = record.settings.kimg, record.settings.minutes
    by_kimg = 0.0 if kimg is None else (cell.kimg or 0.0) / kimg
    by_time = 0.0 if minutes is None else (cell.train_sec or 0.0) / (minutes * 60)
    return min(max(by_kimg, by_time), 1.0)


def _scalars(cell: Cell) -> str:
    parts = [] if cell.kimg is None else [f"{cell.kimg:.1f} kimg"]
    if cell.img_per_sec is not None:
        parts.append(f"{cell.img_per_sec:.1f} img/s")
    if cell.curve:
        parts.append(f"FD-EffLite0 {cell.curve[-1].distance:.1f}")
    return "  ".join(parts) or "starting"
