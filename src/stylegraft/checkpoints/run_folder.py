"""The checkpoints of a run folder: names, the newest good one, the best one, and which may go.

RUN/checkpoints/kimg-000123.456/       one checkpoint folder (see `native`)
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegraft.checkpoints.native import Checkpoint, read_card, read_checkpoint, remove_checkpoint
from stylegraft.errors import CheckpointError, RunError

CONFIG_NAME = "config.json"
LOG_NAME = "log.jsonl"
_FOLDER = "checkpoints"


@dataclass(frozen=True)
class Entry:
    """A checkpoint of the run whose card could be read."""

    path: Path
    info: dict[str, Any]

    @property
    def step(self) -> int:
        """Finished steps when it was written."""
        return int(self.info.get("step", 0))


def is_run_folder(path: Path) -> bool:
    """Returns whether a folder looks like a run of ours."""
    return (path / CONFIG_NAME).is_file() and (path / _FOLDER).is_dir()


def checkpoint_path(run: Path, num_images: int) -> Path:
    """Returns the folder of a checkpoint written after so many images."""
    return run / _FOLDER / f"kimg-{num_images / 1000:010.3f}"


def list_checkpoints(run: Path) -> tuple[list[Entry], list[str]]:
    """Returns the readable checkpoints, oldest first, and a line on each that is not."""
    entries, problems = [], []
    for path in sorted((run / _FOLDER).glob("kimg-*")):
        try:
            entries.append(Entry(path, read_card(path)["info"]))
        except CheckpointError as error:
            problems.append(str(error))
    return sorted(entries, key=lambda entry: entry.step), problems


def has_checkpoints(run: Path) -> bool:
    """Returns whether any checkpoint was ever finished in the run, readable or not."""
    return any((run / _FOLDER).glob("kimg-*"))


def best_checkpoint(run: Path) -> Path:
    """Returns the checkpoint with the lowest held-out distance, or the newest where none was measured.

    Raises:
        CheckpointError: the run has no readable checkpoint.
    """
    entries, problems = list_checkpoints(run)
    if not entries:
        detail = f" ({problems[0]})" if problems else ""
        raise CheckpointError(
            f"{run}: expected a checkpoint, found none that can be read{detail}. Train longer."
        )
    measured = [entry for entry in entries if entry.info.get("distance") is not None]
    if measured:
        return min(measured, key=lambda entry: (entry.info["distance"], entry.step)).path
    return entries[-1].path


def read_newest_good(run: Path) -> tuple[Checkpoint, Path, list[str]]:
    """Returns the newest checkpoint that is whole, its folder, and a line on each newer one that is not.

    Raises:
        CheckpointError: there is none.
    """
    entries, problems = list_checkpoints(run)
    for entry in reversed(entries):
        try:
            return read_checkpoint(entry.path, with_training=True), entry.path, problems
        except CheckpointError as error:
            problems.append(str(error))
    detail = f": {problems[0]}" if problems else ""
    raise CheckpointError(f"{run}: no checkpoint to resume from{detail}. Start the run anew.")


def remove_outdated(run: Path, num_newest: int, best_step: int | None) -> None:
    """Removes all checkpoints but the newest ones, the best one and what cannot be read."""
    entries, _ = list_checkpoints(run)
    for entry in entries[:-num_newest]:
        if entry.step != best_step:
            _remove(entry.path)


def remove_newer_than(run: Path, step: int) -> None:
    """Removes checkpoints after `step` and unfinished ones: the run goes on from there."""
    for path in (run / _FOLDER).glob("*"):
        if path.name.startswith("."):
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_dir() and path.name.startswith("kimg-"):
            try:
                outdated = Entry(path, read_card(path)["info"]).step > step
            except CheckpointError:
                outdated = True
            if outdated:
                _remove(path)


def _remove(path: Path) -> None:
    try:
        remove_checkpoint(path)
    except OSError as error:
        raise RunError(f"cannot remove {path}: {error}. Check permissions.") from error
