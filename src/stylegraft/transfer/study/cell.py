"""One cell of a study: the `stylegraft train` that it is, and what has become of it."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stylegraft.checkpoints.native import read_card
from stylegraft.checkpoints.run_folder import has_checkpoints, list_checkpoints
from stylegraft.errors import RunError, StylegraftError
from stylegraft.training.folder import read_config
from stylegraft.transfer.launch import Outcome, read_run_log, train_subprocess, wait_for_orphan
from stylegraft.transfer.study.check import CheckedStudy
from stylegraft.transfer.study.config import SCRATCH
from stylegraft.transfer.study.record import Cell, MeasuredPoint

# The process of a study that was killed saves after its step or its distance, which may take minutes.
_ORPHAN_SEC = 600.0


@dataclass(frozen=True)
class CellJob:
    """What whoever runs a cell has to know; plain values, so that it can travel to another machine.

    Attributes:
        id: of the cell.
        folder: its run folder, absolute; the output of training goes to `FOLDER.log` beside it.
        arguments: the words after `stylegraft train` that begin it.
        resume: the words that go on with it.
    """

    id: str
    folder: Path
    arguments: tuple[str, ...]
    resume: tuple[str, ...]


def plan_cells(checked: CheckedStudy, words: Sequence[str], out: Path) -> list[Cell]:
    """Returns all cells, none of them begun: first all pairs with the first seed, then with the next.

    Args:
        checked: the study.
        words: what all cells say to `stylegraft train`.
        out: the study's folder, as the user wrote it.
    """
    settings, cells = checked.settings, []
    written = {source.name: source.path for source in settings.source_files}
    for seed in settings.seeds:
        for target in settings.targets:
            for source in settings.sources:
                name = f"{target.name}/{source}/seed{seed}"
                folder = f"cells/{name}"
                start = _arguments(target.path, str(out / folder), written.get(source), seed, words)
                cells.append(
                    Cell(
                        id=name,
                        target=target.name,
                        source=source,
                        seed=seed,
                        folder=folder,
                        command=shlex.join(["stylegraft", "train", *start]),
                    )
                )
    return cells


def job_of(cell: Cell, checked: CheckedStudy, words: Sequence[str], out: Path) -> CellJob:
    """Returns a cell as a job: its command with absolute paths, for it may run in another folder."""
    folder = out.resolve() / cell.folder
    data = str(checked.target_paths[cell.target])
    source = None if cell.source == SCRATCH else str(checked.source_paths[cell.source])
    device = [] if checked.device == "auto" else ["--device", checked.device]  # no setting of the run
    return CellJob(
        id=cell.id,
        folder=folder,
        arguments=_arguments(data, str(folder), source, cell.seed, words),
        resume=(data, "--resume", str(folder), *device),
    )


def _arguments(
    data: str, folder: str, source: str | None, seed: int, words: Sequence[str]
) -> tuple[str, ...]:
    start = [] if source is None else ["--from", source]
    return (data, "--out", folder, *start, "--seed", str(seed), *words)


def run_cell(job: CellJob, stop: threading.Event | None = None) -> Outcome:
    """Brings a cell to its end: begins it, goes on with it, or leaves it if it is finished.

    Args:
        job: the cell.
        stop: once set, training saves and stops.
    """
    log = job.folder.with_name(f"{job.folder.name}.log")
    if not wait_for_orphan(log, _ORPHAN_SEC):
        return _failure(f"{job.folder}: another process has trained here for 10 minutes. End it first.")
    if is_finished(job.folder):
        return Outcome(0, None, was_stopped=False)
    arguments = job.resume if has_checkpoints(job.folder) else job.arguments
    try:
        outcome = train_subprocess(arguments, log, stop=stop)
    except RunError as error:
        return _failure(str(error))
    if outcome.error is None and not outcome.was_stopped and not is_finished(job.folder):
        return _failure("a signal stopped it before its budget was spent; the same command goes on")
    return outcome


def _failure(reason: str) -> Outcome:
    return Outcome(1, reason, was_stopped=False)


def is_finished(run: Path) -> bool:
    """Returns whether a run's newest checkpoint is at the end of its budget, or where it stopped early."""
    entries, _ = list_checkpoints(run)
    if not entries:
        return False
    try:
        config, state = read_config(run), read_card(entries[-1].path)["state"]
    except StylegraftError:
        return False  # whatever is wrong: the resume will say it
    if state.get("stopped") is not None:
        return True
    return (config.total_kimg is not None and state["num_images"] >= config.total_kimg * 1000) or (
        config.total_minutes is not None and state["train_sec"] >= config.total_minutes * 60
    )


def with_results(cell: Cell, run: Path) -> Cell:
    """Returns the cell with what its run has logged and saved so far."""
    log, (entries, _) = read_run_log(run), list_checkpoints(run)
    if entries and (log is None or entries[-1].info["kimg"] >= log.kimg):
        newest = entries[-1].info  # the end of a run need not be at a log line
        cell = cell.replace(kimg=newest["kimg"], train_sec=newest["train_sec"])
    elif log is not None:
        cell = cell.replace(kimg=log.kimg, train_sec=log.train_sec)
    if log is None:
        return cell
    curve = tuple(MeasuredPoint(**asdict(point)) for point in log.points)
    # Noise can score better than early training; untrained networks are never the best.
    counted = [point for point in curve if point.kimg > 0 or cell.source != SCRATCH]
    return cell.replace(
        img_per_sec=log.img_per_sec,
        curve=curve,
        floor=log.floor,
        best=min(counted, key=lambda point: point.distance, default=None),
        final=curve[-1] if curve else None,
    )
