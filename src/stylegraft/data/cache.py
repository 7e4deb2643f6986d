"""Where decoded pixels are kept: in memory, or in a file that vanishes with the process."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import IO

import numpy as np

from stylegraft.errors import RunError

_CHUNK_BYTES = 8 << 20


def allocate_pixels(shape: tuple[int, int, int, int], max_memory_bytes: int) -> np.ndarray:
    """Returns a writable uint8 array [N, H, W, C] of undefined content.

    Above `max_memory_bytes` it is backed by a file in the system's temporary folder (`TMPDIR`), of which the
    kernel keeps in memory what fits. The file has no name where the system allows that, so that even a
    killed process leaves nothing behind; its space is taken at once, because a disk that fills up later
    would kill the process with a bus error.

    Raises:
        RunError: the temporary folder has no room for the file.
    """
    num_bytes = int(np.prod(shape, dtype=np.int64))
    if num_bytes <= max_memory_bytes:
        return np.empty(shape, np.uint8)
    try:
        with tempfile.TemporaryFile(prefix="stylegraft-pixels-") as file:
            _reserve(file, num_bytes)
            # The mapping holds its own handle of the file; as a plain array, slices of it are plain too.
            return np.asarray(np.memmap(file, np.uint8, "r+", shape=shape))
    except OSError as error:
        raise RunError(
            f"cannot keep {num_bytes / 1e6:,.0f} MB of decoded pixels in {tempfile.gettempdir()}: "
            f"{error.strerror or error}. Free space there, name another folder by TMPDIR, "
            "or raise --max-cache-mb."
        ) from error


def _reserve(file: IO[bytes], num_bytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, num_bytes)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
    zeros = bytes(_CHUNK_BYTES)
    for start in range(0, num_bytes, _CHUNK_BYTES):
        file.write(zeros[: num_bytes - start])
    file.flush()
