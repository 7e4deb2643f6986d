"""Files that cannot be used, all of them with their reasons, in one error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stylegraft.errors import DataError

_NUM_SHOWN = 3


class BadImagesError(DataError):
    """Some files of an image set cannot be read.

    The message names the first few on one line; `problems` has all of them.

    Attributes:
        problems: (file name, reason) of every file, sorted by name.
    """

    def __init__(self, message: str, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(message)
        self.problems: list[tuple[str, str]] = list(problems)


def bad_images_error(path: Path, problems: Sequence[tuple[str, str]], num_files: int) -> BadImagesError:
    """Returns the error for a set of `num_files` image files of which `problems` cannot be read."""
    problems = sorted(problems)
    message = (
        f"cannot read {len(problems)} of {num_files} images in {path}: "
        f"{examples([f'{name} ({reason})' for name, reason in problems])}. "
        "Repair or remove them, or leave them out with --skip-bad."
    )
    return BadImagesError(message, problems)


def examples(items: Sequence[str]) -> str:
    """Returns the first three items joined with commas, and how many more there are."""
    shown = ", ".join(items[:_NUM_SHOWN])
    return f"{shown} and {len(items) - _NUM_SHOWN} more" if len(items) > _NUM_SHOWN else shown
