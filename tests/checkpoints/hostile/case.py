"""What the corpus says of each of its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stylegraft.errors import CheckpointError, UnsafeFileError


@dataclass(frozen=True)
class Hostile:
    """A file, and how it must be refused."""

    make: Callable[[], bytes]
    says: str
    error: type[CheckpointError] = CheckpointError


def unsafe(make: Callable[[], bytes], says: str) -> Hostile:
    """A file that asks for code."""
    return Hostile(make, says, UnsafeFileError)
