"""Reading what a run or study left on disk. It may come from strangers: sizes are limited, values checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylegraft.errors import InputError

_MAX_JSON_BYTES = 32 << 20
_MAX_LOG_BYTES = 128 << 20
_LARGEST = 1e12  # no number of a run is larger; what is would only spoil the arithmetic of a chart


def read_object(path: Path, what: str) -> dict[str, Any]:
    """Returns the JSON object in a file.

    Args:
        path: of the file.
        what: it should be, for the message: "the settings of a run".

    Raises:
        InputError: the file is missing, too large, or holds something else.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_JSON_BYTES:
            raise ValueError(f"{size >> 20} MB, which is more than {_MAX_JSON_BYTES >> 20}")
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: None)  # NaN
        if not isinstance(values, dict):
            raise ValueError(f"a JSON {type(values).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"{path}: expected {what} as JSON, got {reason}. The file is damaged: restore it from a copy."
        ) from error
    return values


def read_log(path: Path) -> list[dict[str, float]]:
    """Returns the finite numbers of each line of a run's log, by steps, each with "step" and "kimg".

    Half a last line is left out, and so is what a rewind took back: lines of a step behind which the log
    begins again.

    Raises:
        InputError: there is no log, it is too large, or no line of it can be read.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_LOG_BYTES:
            raise InputError(
                f"{path}: expected at most {_MAX_LOG_BYTES >> 20} MB of log, got {size >> 20} MB. Is it one?"
            )
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: expected the log of a run, got {error.strerror or error}. "
            "Train first: stylegraft train."
        ) from error
    rows: list[dict[str, float]] = []
    for line in lines:
        row = _numbers_of(line)
        if not {"step", "kimg"} <= row.keys():
            continue
        while rows and rows[-1]["step"] > row["step"]:
            rows.pop()
        rows.append(row)
    if not rows:
        raise InputError(
            f"{path}: expected lines of JSON with step and kimg, got none in {len(lines)} lines. "
            "Train first, or go on with: stylegraft train --resume."
        )
    return rows


def number(value: object) -> float | None:
    """Returns a finite number as float, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        return None
    return float(value)


def text(value: object, most: int = 300) -> str:
    """Returns a name or sentence of at most so many letters on one line; empty for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    letters = str(value)[: 2 * most]
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in letters).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def inner(values: object, *keys: str) -> Any:
    """Returns what is under the keys of nested objects, or None where one of them is missing."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _numbers_of(line: str) -> dict[str, float]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    found = {str(name): number(value) for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def as_json(values: object, most: int = 200_000) -> str:
    """Returns values as indented JSON for people, cut off where it is very long."""
    try:
        shown = json.dumps(values, indent=2, ensure_ascii=False)
    except RecursionError:
        return "too deeply nested to be shown"
    return shown if len(shown) <= most else f"{shown[:most]}\n... cut off here; the file has all of it."


def is_inside(path: Path, folder: Path) -> bool:
    """Returns whether a path leads to a place inside a folder, links followed."""
    return path.resolve().is_relative_to(folder.resolve())
