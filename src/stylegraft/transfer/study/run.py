"""Runs a study: every cell to its end, one after another or several at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

import stylegraft
from stylegraft.checkpoints.run_folder import LOG_NAME, has_checkpoints
from stylegraft.errors import InputError
from stylegraft.files import make_folder
from stylegraft.training.loop import interruptions
from stylegraft.training.observers import tell
from stylegraft.transfer.launch import Outcome
from stylegraft.transfer.lock import hold_lock
from stylegraft.transfer.study.cell import is_finished, job_of, plan_cells, with_results
from stylegraft.transfer.study.check import CheckedStudy, ParseTrain, check_study
from stylegraft.transfer.study.config import StudySettings
from stylegraft.transfer.study.engines import Engine, EngineName, make_engine, require_engine
from stylegraft.transfer.study.progress import StudyProgress
from stylegraft.transfer.study.record import (
    Cell,
    StudyRecord,
    check_same_study,
    read_record,
    write_record,
)

_POLL_SEC = 0.5
_LOCK_NAME = ".lock"


def run_study(
    settings: StudySettings,
    out: Path,
    *,
    jobs: int | None = None,
    engine: EngineName = "local",
    parse_train: ParseTrain,
    command: str,
    machine: Mapping[str, Any],
    console: Console,
) -> StudyRecord:
    """Trains what is not trained yet of a study, and returns its record, which `out/study.json` has too.

    The same call goes on after any interruption: finished cells stay as they are, begun ones are resumed
    exactly, failed ones are tried again. SIGINT and SIGTERM make the running cells save and stop.

    Args:
        settings: sources, targets, seeds, budget and flags.
        out: the study's folder; a new one, or that of a study with the same settings.
        jobs: cells at a time; None: one, with Ray one on each machine.
        engine: "local" or "ray".
        parse_train: see `check.ParseTrain`.
        command: the study's own command line, for the record.
        machine: JSON-ready facts, for the record.
        console: for the user.

    Raises:
        InputError: anything is wrong with the settings, the sources, the targets or their pairs; the folder
            holds another study; or Ray is missing. Nothing was trained then.
        RunError: another process runs this study.
    """
    require_engine(engine)
    checked = check_study(settings, out, parse_train)
    old = read_record(out)
    if old is None and (out / "cells").exists():
        raise InputError(f"{out} (--out): expected a free name, got a folder with cells of something else.")
    if old is not None:
        check_same_study(old.settings, checked.settings, out)
    make_folder(out, "--out")
    with hold_lock(
        out / _LOCK_NAME, f"{out} (--out): another process runs this study. Wait for it, or end it."
    ):
        runner = make_engine(engine, jobs, checked.threads)
        progress = StudyProgress(console, runner.slots)
        try:
            # Said outright: training alone would adapt to its neighbours, and be repeatable no more.
            words = (
                *settings.train_words(),
                *(["--threads", str(runner.threads)] if not checked.threads else []),
            )
            record = StudyRecord(
                version=stylegraft.__version__,
                command=command,
                machine=dict(machine),
                created=datetime.now(UTC).isoformat(timespec="seconds") if old is None else old.created,
                settings=checked.settings,
                cells=tuple(_taken_up(cell, old, out) for cell in plan_cells(checked, words, out)),
            )
            study = _Study(record, out, checked, words, runner, progress)
            study.run(console)
        finally:
            progress.close()
            runner.close()
        return study.record


def _taken_up(cell: Cell, old: StudyRecord | None, out: Path) -> Cell:
    """A planned cell, or the one of the same id of an earlier session; what did not end then is pending."""
    known = next((other for other in old.cells if other.id == cell.id), None) if old else None
    if known is not None and known.state == "done":
        return known  # even if its checkpoints were thrown away since
    if known is None or not has_checkpoints(out / cell.folder):
        return cell
    return known.replace(state="pending", error=None)


@dataclass
class _Study:
    """A study in progress.

    Attributes:
        record: what is known; saved after each change.
        running: the ids of the cells that are being trained.
        log_sizes: bytes of their logs when these were last read.
    """

    record: StudyRecord
    out: Path
    checked: CheckedStudy
    words: Sequence[str]
    engine: Engine
    progress: StudyProgress
    running: dict[Future[Outcome], str] = field(default_factory=dict)
    log_sizes: dict[str, int] = field(default_factory=dict)

    def run(self, console: Console) -> None:
        """Runs all pending cells, or stops the running ones when it is interrupted."""
        write_record(self.out, self.record)
        pending = [cell.id for cell in self.record.cells if cell.state == "pending"]
        is_stopping = False
        with interruptions() as interrupted:
            while self.running or (pending and not is_stopping):
                while pending and len(self.running) < self.engine.slots and not is_stopping:
                    self._begin(pending.pop(0))
                ended, _ = wait(self.running, _POLL_SEC, FIRST_COMPLETED)
                for future in ended:
                    self._end(self.running.pop(future), future, is_stopping)
                self._follow()
                if interrupted and not is_stopping:
                    is_stopping = True
                    tell(console, "stopping: the running cells save first")
                    self.engine.stop()

    def _begin(self, name: str) -> None:
        cell = self._cell(name).replace(state="running")
        self._put(cell)
        job = job_of(cell, self.checked, self.words, self.out)
        self.running[self.engine.submit(job)] = name

    def _end(self, name: str, future: Future[Outcome], is_stopping: bool) -> None:
        try:
            outcome = future.result()
        except (
            Exception
        ) as error:  # a lost machine, a cancelled task, or a defect: of this cell, not of the study
            outcome = Outcome(1, f"{type(error).__name__}: {' '.join(str(error).split())}", is_stopping)
        cell = self._cell(name)
        if is_finished(self.out / cell.folder):
            cell = cell.replace(state="done", error=None)
        elif outcome.was_stopped:
            cell = cell.replace(state="pending")
        else:
            cell = cell.replace(state="failed", error=outcome.error)
        self._put(with_results(cell, self.out / cell.folder))
        self.progress.tell_end(self._cell(name))

    def _follow(self) -> None:
        """Reads on in the logs of the running cells, and shows the progress."""
        for name in self.running.values():
            cell = self._cell(name)
            log = self.out / cell.folder / LOG_NAME
            size = log.stat().st_size if log.exists() else 0
            if size == self.log_sizes.get(name, 0):
                continue
            self.log_sizes[name] = size
            seen = with_results(cell, self.out / cell.folder)
            if len(seen.curve) != len(cell.curve):
                self._put(seen)
            else:  # speed and position are for the eye; a file a moment would be too much for them
                self.record = self.record.with_cell(seen)
        self.progress.show(self.record)

    def _cell(self, name: str) -> Cell:
        return next(cell for cell in self.record.cells if cell.id == name)

    def _put(self, cell: Cell) -> None:
        self.record = self.record.with_cell(cell)
        write_record(self.out, self.record)
