"""A training in a process of its own: starting it, stopping it cleanly, reading what it wrote."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegraft.errors import RunError
from stylegraft.transfer.lock import wait_until_free

_POLL_SEC = 0.2
_ERROR = "stylegraft: error: "  # how the command line begins its one line
_LOG_NAME = "log.jsonl"


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes:
        code: its exit code; negative: the signal that killed it.
        error: what went wrong, in one line; None if nothing did.
        was_stopped: it was asked to stop, so that an unfinished run is no failure.
    """

    code: int
    error: str | None
    was_stopped: bool


@dataclass(frozen=True)
class Point:
    """A distance of a run: after so many thousand images, after so many seconds."""

    kimg: float
    train_sec: float
    distance: float


@dataclass(frozen=True)
class RunLog:
    """What a run's log says so far.

    Attributes:
        kimg: thousands of images at its last line.
        train_sec: seconds of training at its last line.
        img_per_sec: the median over its ticks, distances not counted; None before the first tick.
        floor: what real images score in place of generated ones; None if it was not measured.
        points: the distances, oldest first; the one at 0 kimg is that of the networks the run began with.
    """

    kimg: float
    train_sec: float
    img_per_sec: float | None
    floor: float | None
    points: tuple[Point, ...]


def train_subprocess(
    arguments: Sequence[str],
    log: Path,
    *,
    stop: threading.Event | None = None,
) -> Outcome:
    """Runs `python -m stylegraft train ARGUMENTS...` to its end and returns how it ended.

    The process is tethered to this one (see `tether`): should this one die, it saves and stops by itself. It
    is in a group of its own, so that Ctrl-C in a terminal reaches this process only.

    Args:
        arguments: the words after `stylegraft train`.
        log: file to which its output is appended. While the process lives it holds the lock of
            `.LOG.lock` beside it.
        stop: once set, the process is asked to save and stop; the call returns when it has.

    Raises:
        RunError: the process could not be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "stylegraft.transfer.tether", str(_lock_of(log)), "train", *arguments]
    with log.open("ab") as output:
        start = output.tell()
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, **_OWN_GROUP
            )
        except OSError as error:
            raise RunError(f"cannot start {command[0]}: {error.strerror or error}.") from error
    assert process.stdin is not None
    try:
        while process.poll() is None:
            if stop is not None and stop.is_set():
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SEC)
    finally:  # asked to stop, or interrupted here: let go of the tether, and wait until it has saved
        was_stopped = process.poll() is None
        process.stdin.close()
        process.wait()
    if process.returncode == 0 or was_stopped:
        return Outcome(process.returncode, None, was_stopped)
    return Outcome(process.returncode, _last_error(log, start, process.returncode), was_stopped)


def wait_for_orphan(log: Path, timeout_sec: float) -> bool:
    """Waits until a process that outlived its killed starter has saved; returns False if it takes longer.

    Args:
        log: the one the process was started with.
        timeout_sec: how long to wait.
    """
    return wait_until_free(_lock_of(log), timeout_sec)


def read_run_log(run: Path) -> RunLog | None:
    """Returns what a run has logged; None before its first line.

    A last line that is not whole does not count. A run that goes back takes the lines after that point back
    itself, so that steps only ever grow.
    """
    records = _records(run / _LOG_NAME)
    if not records:
        return None
    rates = sorted(record["img_per_sec"] for record in records if "img_per_sec" in record)
    floors = [record["floor"] for record in records if "floor" in record]
    return RunLog(
        kimg=records[-1]["kimg"],
        train_sec=records[-1]["train_sec"],
        img_per_sec=rates[len(rates) // 2] if rates else None,
        floor=floors[-1] if floors else None,
        points=tuple(
            Point(record["kimg"], record["train_sec"], record["distance"])
            for record in records
            if "distance" in record
        ),
    )


def read_curve(run: Path) -> list[Point]:
    """Returns the distances of a run so far, oldest first (see `RunLog.points`)."""
    log = read_run_log(run)
    return [] if log is None else list(log.points)


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    records = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and {"step", "kimg", "train_sec"} <= record.keys():
            records.append(record)
    return records


def _lock_of(log: Path) -> Path:
    return log.with_name(f".{log.name}.lock")


def _last_error(log: Path, start: int, code: int) -> str:
    """The line that the command line ended with; else the last one it wrote, else the exit code."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", errors="replace").split("\n")
    errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    if errors:
        return errors[-1].strip()
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"training was killed by {name}{hint}; see {log}"
    said = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    return f"training ended with exit code {code}; it said: {said} (see {log})"


_OWN_GROUP: dict[str, Any] = (
    {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    if sys.platform == "win32"
    else {"start_new_session": True}
)
