"""A lock that the system takes back when its holder ends, in whatever way: kill -9 leaves none behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stylegraft.errors import RunError

_POLL_SEC = 0.1


@contextmanager
def hold_lock(path: Path, busy: str) -> Iterator[None]:
    """Holds the lock of the file `path`, which is made if need be and stays, while the block runs.

    Args:
        path: the file.
        busy: the error's text if another process holds it.

    Raises:
        RunError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not _try_to_lock(file):
            raise RunError(busy)
        yield


def wait_until_free(path: Path, timeout_sec: float) -> bool:
    """Waits until nobody holds the lock of the file `path`; returns False if the time was too short."""
    end = time.monotonic() + timeout_sec
    while path.exists():
        with path.open("ab") as file:
            if _try_to_lock(file):
                return True
        if time.monotonic() >= end:
            return False
        time.sleep(_POLL_SEC)
    return True


def _try_to_lock(file: IO[bytes]) -> bool:
    """Takes the lock if it is free; closing the file gives it back."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)  # the byte that everybody locks
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
