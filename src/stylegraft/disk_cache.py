"""Files that can be made anew, in a folder of bounded size."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stylegraft.errors import RunError
from stylegraft.files import atomic_file, cache_folder

_ABANDONED_SEC = 24 * 3600  # temporary files of processes that were killed


class DiskCache:
    """A folder of files, one a key. The least recently used go when there are too many bytes.

    Args:
        name: of the folder in `cache_folder`.
        suffix: of the files, with its dot.
        max_bytes: of all files together.
        folder: used in place of `name` if given.
    """

    def __init__(self, name: str, suffix: str, max_bytes: int, folder: str | Path | None = None) -> None:
        self.folder = cache_folder() / name if folder is None else Path(folder)
        self._suffix, self._max_bytes = suffix, max_bytes

    def open(self, key: str) -> IO[bytes]:
        """Opens the file of a key for reading and marks it as used.

        Raises:
            OSError: there is none.
        """
        file = self._path(key).open("rb")
        with suppress(OSError):
            os.utime(self._path(key))
        return file

    @contextmanager
    def writing(self, key: str, num_bytes: int = 0) -> Iterator[IO[bytes]]:
        """Opens the file of a key for writing; it appears, whole, when the block ends without an error.

        Args:
            key: letters and digits.
            num_bytes: how large it will be, if that is known: room is made for it.

        Raises:
            RunError: it cannot be written, or is larger than all files may be.
        """
        if num_bytes > self._max_bytes:
            raise RunError(f"{self._path(key)}: {num_bytes:,} bytes are more than the cache may hold.")
        self._evict(self._max_bytes - num_bytes)
        with atomic_file(self._path(key)) as file:
            yield file
        self._evict(self._max_bytes)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{self._suffix}"

    def _evict(self, max_bytes: int) -> None:
        """Deletes what was not used for longest until `max_bytes` are left, and what was never finished."""
        found = []
        with suppress(OSError):  # no folder yet, or another process evicts too
            found = [(path.stat(), path) for path in self.folder.iterdir()]
        files = [(status, path) for status, path in found if path.suffix == self._suffix]
        files.sort(key=lambda file: file[0].st_mtime_ns)
        excess = sum(status.st_size for status, _ in files) - max_bytes
        old = time.time() - _ABANDONED_SEC
        gone = [path for status, path in found if path.suffix == ".tmp" and status.st_mtime < old]
        for status, path in files:
            if excess <= 0:
                break
            gone.append(path)
            excess -= status.st_size
        for path in gone:
            with suppress(OSError):  # a file in use cannot be deleted on every system
                path.unlink(missing_ok=True)
