"""Reads a checkpoint that other software wrote: finds out the format and calls its reader.

A new format is a new module with a function like `read_nvidia_pytorch`, and a row in `_READERS`.

Files are mapped, not read: what a reader does not look at, such as the storages of an optimiser, costs
nothing, and the system can take pages back. Readers hand out copies: nothing refers to the file afterwards.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable
from pathlib import Path

from stylegraft.checkpoints.foreign.contents import ForeignCheckpoint, ForeignContents
from stylegraft.checkpoints.foreign.formats import DESCRIPTIONS, sniff
from stylegraft.checkpoints.foreign.limits import Limits, Reading
from stylegraft.checkpoints.foreign.nvidia_pytorch import read_nvidia_pytorch
from stylegraft.checkpoints.foreign.nvidia_tensorflow import read_nvidia_tensorflow
from stylegraft.checkpoints.foreign.rosinality import read_rosinality_legacy, read_rosinality_zip
from stylegraft.errors import CheckpointError

_Reader = Callable[[memoryview, Reading], ForeignContents]
# For each result of `sniff` that is read: the name of the format, and its reader.
_READERS: dict[str, tuple[str, _Reader]] = {
    "nvidia-pytorch": ("nvidia-pytorch", read_nvidia_pytorch),
    "nvidia-tensorflow": ("nvidia-tensorflow", read_nvidia_tensorflow),
    # A pickle without the usual names is read too, so that the error can say what it holds or asks for.
    "pickle": ("nvidia-pytorch", read_nvidia_pytorch),
    "torch-zip": ("rosinality", read_rosinality_zip),
    "torch-legacy": ("rosinality", read_rosinality_legacy),
}


def read_foreign(path: str | Path, limits: Limits | None = None) -> ForeignCheckpoint:
    """Reads a checkpoint without executing or importing anything that it names.

    Args:
        path: the file.
        limits: ceilings on what reading may cost; None: the usual ones.

    Raises:
        UnsafeFileError: the file asks for something that only executing code from it could do.
        CheckpointError: it is no checkpoint, is damaged, of a format or layout not known here, or too large.
    """
    path = Path(path)
    kind = sniff(path)
    if kind not in _READERS:
        what = "a file of unknown format" if kind is None else DESCRIPTIONS[kind]
        raise CheckpointError(
            f"cannot read {path}: expected a StyleGAN or StyleGAN2 checkpoint (a .pkl of the official code "
            f"or a .pt of rosinality's), got {what}. {_advice(kind)}"
        )
    name, reader = _READERS[kind]
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            contents = reader(memoryview(data), Reading(str(path), len(data), limits))
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}. Check its permissions."
        ) from error
    return ForeignCheckpoint(**vars(contents), format=name, sha256=sha256)


def _advice(kind: str | None) -> str:
    if kind in ("html", "git-lfs", "empty"):
        return "Download the real file again; open the link in a browser to see what it asks for."
    if kind == "hdf5":
        return "Keras networks are not supported."
    if kind == "torch-tar":
        return "Load it with torch and save it again."
    return "Check that this is the file you meant."
