"""A run folder as a report sees it: settings, log, checkpoints' cards, sessions, an evaluation beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stylegraft.errors import InputError
from stylegraft.report.reading import inner, is_inside, number, read_log, read_object, text
from stylegraft.report.sheets import Sheet, list_sheets

CONFIG_NAME = "config.json"
EVALUATION_NAME = "evaluation.json"
_LOG_NAME = "log.jsonl"
_SESSIONS_NAME = "sessions.jsonl"
_CARD_NAME = "checkpoint.json"
_MAX_SIDE_PX = 8192
_MAX_SESSIONS_BYTES = 1 << 20
_MAX_CLASSES = 12  # that have a row in the sheets


@dataclass(frozen=True)
class Saved:
    """What the card of a checkpoint says.

    Attributes:
        name: of its folder.
        kimg: thousands of images after which it was written.
        distance: measured then, or None.
        sha256: of the file with the networks; empty where the card has none.
        info: the facts for people.
    """

    name: str
    kimg: float
    distance: float | None
    sha256: str
    info: dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """A distance: after so many thousand images and so many seconds of training."""

    kimg: float
    train_sec: float | None
    distance: float


@dataclass(frozen=True)
class RunData:
    """What there is to tell of a run.

    Attributes:
        folder: the run.
        config: its settings, as they were written; nothing in them is checked.
        rows: lines of its log.
        saved: its checkpoints that can be read, by time.
        sheets: its samples, by time.
        sessions: a dict for each start and resume: "started", "command", "version", "machine".
        evaluation: result of `stylegraft evaluate`, or None.
        notes: what was missing or could not be read.
    """

    folder: Path
    config: dict[str, Any]
    rows: list[dict[str, float]]
    saved: list[Saved]
    sheets: list[Sheet]
    sessions: list[dict[str, Any]]
    evaluation: dict[str, Any] | None
    notes: list[str]

    @cached_property
    def distances(self) -> list[Measured]:
        """What was measured, by time."""
        return [
            Measured(row["kimg"], row.get("train_sec"), row["distance"])
            for row in self.rows
            if "distance" in row
        ]

    @cached_property
    def best(self) -> Measured | None:
        """The lowest distance; that of random networks does not count."""
        counted = [point for point in self.distances if point.kimg > 0 or self.source is not None]
        return min(counted, key=lambda point: point.distance, default=None)

    @cached_property
    def floor(self) -> float | None:
        """What real images score in place of generated ones."""
        floors = [row["floor"] for row in self.rows if row.get("floor", 0) > 0]
        return floors[-1] if floors else None

    @cached_property
    def source(self) -> dict[str, Any] | None:
        """The network it started from, as config.json says it."""
        source = self.config.get("source")
        return source if isinstance(source, dict) else None

    @cached_property
    def source_name(self) -> str:
        """A short name of the network it started from; empty if there was none."""
        return "" if self.source is None else text(short_source_name(text(self.source.get("path"))), 40)

    @cached_property
    def img_size(self) -> tuple[int, int] | None:
        """Height and width of the images, px."""
        return img_size_of(self.config)

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the rows in its sheets; empty if its images have no classes."""
        names = self.saved[-1].info.get("class_names") if self.saved else None
        return [text(name, 40) for name in names[:_MAX_CLASSES]] if isinstance(names, list) else []

    @cached_property
    def kimg(self) -> float:
        """Thousands of images shown so far."""
        return max(self.rows[-1]["kimg"], *(saved.kimg for saved in self.saved), 0.0)

    @cached_property
    def train_sec(self) -> float:
        """Seconds so far, with the time for distances."""
        logged = (row.get("train_sec", 0.0) for row in self.rows)
        return max(*logged, *(number(saved.info.get("train_sec")) or 0.0 for saved in self.saved), 0.0)


def is_run(folder: Path) -> bool:
    """Returns whether a folder looks like a run."""
    return (folder / CONFIG_NAME).is_file() and (
        (folder / _LOG_NAME).is_file() or (folder / "checkpoints").is_dir()
    )


def read_run(folder: Path, evaluation: Path | None = None) -> RunData:
    """Returns what there is to tell of a run.

    Args:
        folder: the run.
        evaluation: a folder that `stylegraft evaluate --out` wrote, or its JSON file; None takes one in the
            run folder or in RUN/evaluation, if there is one.

    Raises:
        InputError: settings, log or the named evaluation are missing or damaged.
    """
    config = read_object(folder / CONFIG_NAME, "the settings of a run")
    rows = read_log(folder / _LOG_NAME)
    saved, notes = _read_cards(folder)
    if not saved:
        notes.append("The run has no checkpoint that can be read: hashes and class names are missing here.")
    result = None
    if evaluation is not None:
        result = read_object(_evaluation_file(evaluation), "a result of stylegraft evaluate")
    else:
        for path in (folder / EVALUATION_NAME, folder / "evaluation" / EVALUATION_NAME):
            if path.is_file() and result is None:
                try:
                    result = read_object(path, "a result of stylegraft evaluate")
                except InputError as error:
                    notes.append(f"The evaluation was left out: {error}")
    return RunData(
        folder=folder,
        config=config,
        rows=rows,
        saved=saved,
        sheets=list_sheets(folder),
        sessions=_read_sessions(folder / _SESSIONS_NAME),
        evaluation=result,
        notes=notes,
    )


def img_size_of(config: dict[str, Any]) -> tuple[int, int] | None:
    """Returns height and width of a run's images, px, or None where its settings do not say them."""
    sides = [number(inner(config, "generator", f"img_{side}")) for side in ("height", "width")]
    if not all(side and 1 <= side <= _MAX_SIDE_PX and side == int(side) for side in sides):
        return None
    height, width = (int(side or 0) for side in sides)
    return height, width


def short_source_name(path: str) -> str:
    """Returns the last telling part of a path: that of the run, for a checkpoint in one."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if len(parts) >= 3 and parts[-2] == "checkpoints":
        return parts[-3]
    return parts[-1] if parts else path


def _evaluation_file(path: Path) -> Path:
    if path.is_dir():
        path = path / EVALUATION_NAME
    if not path.is_file():
        raise InputError(
            f"--evaluation {path}: no such file. Name the folder that stylegraft evaluate --out wrote."
        )
    return path


def _read_cards(run: Path) -> tuple[list[Saved], list[str]]:
    saved, notes = [], []
    for path in sorted((run / "checkpoints").glob("kimg-*")):
        if not is_inside(path, run):
            continue
        try:
            card = read_object(path / _CARD_NAME, "the card of a checkpoint")
        except InputError as error:
            notes.append(f"A checkpoint was left out: {error}")
            continue
        info = card.get("info")
        info = info if isinstance(info, dict) else {}
        saved.append(
            Saved(
                name=text(path.name),
                kimg=number(info.get("kimg")) or 0.0,
                distance=number(info.get("distance")),
                sha256=text(inner(card, "sha256", "networks.safetensors")),
                info=info,
            )
        )
    return sorted(saved, key=lambda checkpoint: checkpoint.kimg), notes


def _read_sessions(path: Path) -> list[dict[str, Any]]:
    """Lines that cannot be read are left out: they are of no more use than a missing file."""
    if not path.is_file() or path.stat().st_size > _MAX_SESSIONS_BYTES:
        return []
    sessions = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            session = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(session, dict):
            sessions.append(session)
    return sessions
