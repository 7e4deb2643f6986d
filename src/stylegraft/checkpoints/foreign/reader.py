"""Reads a checkpoint that other software wrote: finds out the format and calls its reader.

A new format is a new module with a function like `read_nvidia_pytorch`, and a row in `_READERS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from stylegraft.checkpoints.foreign.contents import ForeignCheckpoint, ForeignContents
from stylegraft.checkpoints.foreign.formats import DESCRIPTIONS, sniff
from stylegraft.checkpoints.foreign.limits import Limits, Reading
from stylegraft.checkpoints.foreign.nvidia_pytorch import read_nvidia_pytorch
from stylegraft.errors import CheckpointError

_READERS: dict[str, Callable[[memoryview, Reading], ForeignContents]] = {
    "nvidia-pytorch": read_nvidia_pytorch,
    # A pickle without the usual names is read too, so that the error can say what it holds or asks for.
    "pickle": read_nvidia_pytorch,
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
            f"cannot read {path}: expected a StyleGAN2 pickle of the official PyTorch code, got {what}. "
            f"{_advice(kind)}"
        )
    try:
        reading = Reading(str(path), path.stat().st_size, limits)
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}. Check its permissions."
        ) from error
    contents = _READERS[kind](memoryview(data), reading)
    return ForeignCheckpoint(**vars(contents), format=kind, sha256=hashlib.sha256(data).hexdigest())


def _advice(kind: str | None) -> str:
    if kind in ("html", "git-lfs", "empty"):
        return "Download the real file again; open the link in a browser to see what it asks for."
    if kind in ("tensorflow", "torch-zip", "torch-legacy"):
        return "This format is not supported yet; use a PyTorch pickle (.pkl) of the network."
    return "Check that this is the file you meant."
