"""The folder of a run: where a new one may be, and the settings of one that is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stylegraft.checkpoints.run_folder import CONFIG_NAME, has_checkpoints
from stylegraft.errors import CheckpointError, ConfigError, InputError
from stylegraft.files import make_folder
from stylegraft.runtime.processes import Processes
from stylegraft.training.config import RunConfig


@contextmanager
def folder_or_nothing(folder: Path, processes: Processes) -> Iterator[None]:
    """Makes the run folder before the long work; if that fails, a folder that was not there goes again."""
    existed = folder.exists()
    if processes.is_first:
        make_folder(folder, "--out")
    try:
        yield
    except BaseException:
        if processes.is_first and not existed:
            with suppress(OSError):  # not empty
                folder.rmdir()
        raise


def check_new_run(data_path: Path, folder: Path) -> None:
    """Refuses a folder that holds a run already, or lies among the images.

    Raises:
        InputError: it does.
    """
    keep_apart(data_path, folder)
    if has_checkpoints(folder):  # a run that was killed before its first is no loss, and may start anew
        raise InputError(
            f"{folder} (--out) holds a run already. Go on with --resume {folder}, or name another folder."
        )


def keep_apart(data_path: Path, folder: Path) -> None:
    """Refuses a run folder among the images: its pictures would be read as images when the run is resumed."""
    images = data_path.resolve()
    if images in (folder.resolve(), *folder.resolve().parents):
        raise InputError(
            f"{folder} (--out): expected a folder outside of the images' {data_path}, or the run's own "
            "pictures would become part of the set. Name another folder."
        )


def read_config(folder: Path) -> RunConfig:
    """Returns the settings of a run folder.

    Raises:
        CheckpointError: there are none, or they are damaged.
        ConfigError: they are of another schema.
    """
    path = folder / CONFIG_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} (--resume): expected a run's settings, got {error}. Name a run folder."
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} (--resume): expected a JSON object. Name a run folder.")
    try:
        return RunConfig.from_dict(values)
    except ConfigError as error:
        raise ConfigError(f"{path} (--resume): {error}") from error
