"""Tells what a file is from its first bytes, so that a wrong file is called by its name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO

from stylegraft.errors import CheckpointError

_HEAD_BYTES = 1 << 20
_TAIL_BYTES = 1 << 20

# What each format is, for messages. The keys are the names that `sniff` returns.
DESCRIPTIONS: dict[str, str] = {
    "nvidia-pytorch": "a pickle of the official PyTorch code",
    "nvidia-tensorflow": "a TensorFlow pickle of StyleGAN or StyleGAN2",
    "rosinality": "a torch.save file of rosinality's stylegan2-pytorch",
    "pickle": "a Python pickle",
    "torch-zip": "a torch.save file",
    "torch-legacy": "a torch.save file of the old form",
    "torch-tar": "a torch.save file of the oldest form (tar, before 2017)",
    "safetensors": "a safetensors file",
    "html": "an HTML page, saved in place of the file it should have led to",
    "git-lfs": "a git-lfs pointer, not the file itself",
    "zip": "a zip archive",
    "gzip": "a gzip archive",
    "tar": "a tar archive",
    "hdf5": "an HDF5 file, such as the weights of a Keras network",
    "image": "an image",
    "empty": "an empty file",
}

_MAGIC: list[tuple[str, re.Pattern[bytes]]] = [
    ("empty", re.compile(rb"\Z")),
    ("git-lfs", re.compile(rb"version https://git-lfs")),
    ("html", re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|\?xml)", re.IGNORECASE)),
    (
        "torch-zip",
        re.compile(rb"PK\x03\x04.{26}[^/]{1,200}/(?:data\.pkl|byteorder|version|\.format)", re.DOTALL),
    ),
    ("zip", re.compile(rb"PK\x03\x04")),
    ("gzip", re.compile(rb"\x1f\x8b")),
    ("hdf5", re.compile(rb"\x89HDF\r\n\x1a\n")),
    ("image", re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP", re.DOTALL)),
    ("torch-tar", re.compile(rb"(?:\./)?(?:sys_info|pickle|tensors|storages)/?\0.{240,256}ustar", re.DOTALL)),
    ("tar", re.compile(rb".{257}ustar", re.DOTALL)),
    ("torch-legacy", re.compile(rb"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")),
    ("nvidia-pytorch", re.compile(rb"\x80[\x02-\x05].*?torch_utils\.persistence", re.DOTALL)),
    ("nvidia-tensorflow", re.compile(rb"\x80[\x02-\x05].*?tflib\.network", re.DOTALL)),
    ("pickle", re.compile(rb"\x80[\x02-\x05]")),
    ("safetensors", re.compile(rb".{5}\0\0\0\{", re.DOTALL)),
]
_TORCH_PICKLE = re.compile(rb"PK\x01\x02.{42}[^/]{1,200}/data\.pkl", re.DOTALL)


def sniff(path: str | Path) -> str | None:
    """Returns the format of a file, a key of `DESCRIPTIONS`, or None when it is none of them.

    Only the first bytes are looked at: the file may still be damaged or hostile.

    Raises:
        CheckpointError: there is no such file, or it cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file" if path.exists() else "nothing there"
            raise CheckpointError(
                f"cannot read {path}: expected a checkpoint file, got {what}. Check the path."
            )
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            tail = _tail(file) if head.startswith(b"PK") else b""
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}. Check its permissions."
        ) from error
    for name, pattern in _MAGIC:
        if pattern.match(head):
            # A torch.save file that was packed anew has its members in any order; their names are at the end.
            return "torch-zip" if name == "zip" and _TORCH_PICKLE.search(tail) else name
    # Pickles of protocol 0 and 1 begin with any opcode; only the name of the file speaks for them.
    return "pickle" if path.suffix.lower() in (".pkl", ".pickle") else None


def _tail(file: IO[bytes]) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
    return file.read(_TAIL_BYTES)
