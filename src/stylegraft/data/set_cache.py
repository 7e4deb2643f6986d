"""Decoded sets on disk, so that a set that has not changed is opened without looking at its images again.

A file holds, from front to back:

    magic, length and SHA-256 of the tail       padded to 4096 bytes
    pixels                                      uint8 [N, H, W, C]
    tail                                        JSON, then the tables that it describes

It is mapped into memory, so that opening costs as little as looking at the tail, and the system keeps of the
pixels what it has room for. The tail is checked in full, the pixels of large sets by sample: it is damage
that is looked for. A file that fails in any way counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
import PIL

from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.decode import DECODING_RULES
from stylegraft.data.sources import file_stamps
from stylegraft.disk_cache import DiskCache
from stylegraft.errors import RunError

DIGEST_BYTES = 32
_MAGIC = b"stylegraft set 1"
_PREFIX = struct.Struct("<16sQ32s")
_PIXELS_AT = 4096
# A file that changes twice within the resolution of its times looks as if it had not changed the second time;
# some file systems count in steps of two seconds.
_SETTLED_NS = 2_000_000_000
_CHECKED_WHOLE_BYTES = 16 << 20
_CHECKED_ROWS = 64
# Settings that change neither names, pixels nor labels.
_BESIDE_THE_SET = {"mirror", "holdout", "holdout_seed", "max_cache_mb", "disk_cache_mb"}


def set_key(path: str | Path, config: DataConfig) -> str | None:
    """Returns a name of what `open_image_set` would read, from the sizes and times of its files.

    None if a file was changed within the last two seconds: it may change again and look the same.

    Raises:
        DataError: a folder cannot be listed.
    """
    path = Path(path)
    settings = {name: value for name, value in config.to_dict().items() if name not in _BESIDE_THE_SET}
    facts = [_MAGIC.decode(), DECODING_RULES, PIL.__version__, str(path.resolve()), settings]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    now = time.time_ns()
    for name, num_bytes, *times in file_stamps(path):
        if any(abs(now - changed) < _SETTLED_NS for changed in times):
            return None
        digest.update(f"{name}\0{num_bytes}{times}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


class SetCache:
    """A folder of decoded sets.

    Args:
        max_bytes: of all of them together; the least recently opened go first.
        folder: where; None: "sets" in `cache_folder`.
    """

    def __init__(self, max_bytes: int, folder: str | Path | None = None) -> None:
        self._files = DiskCache("sets", ".set", max_bytes, folder)

    def load(self, key: str, path: Path, config: DataConfig) -> ImageSet | None:
        """Returns the set stored under `key`, or None if there is none to be trusted."""
        try:
            with self._files.open(key) as file:
                return _load(file, path, config)
        except Exception:  # Damage shows as nearly any error; whatever it is, the remedy is the same.
            return None

    def save(self, key: str, images: ImageSet, digests: np.ndarray) -> None:
        """Stores a set, if there is room for it.

        Args:
            key: of `set_key`.
            images: the set.
            digests: SHA-256 of the pixels of each image, uint8 [N, 32].
        """
        tail = _tail(images, digests)
        tail_at = _tail_at(images.array.shape)
        num_bytes = tail_at + len(tail)
        with suppress(RunError, OSError):
            self._files.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self._files.folder).free < 2 * num_bytes:
                return
            with self._files.writing(key, num_bytes) as file:
                prefix = _PREFIX.pack(_MAGIC, len(tail), hashlib.sha256(tail).digest())
                file.write(prefix.ljust(_PIXELS_AT, b"\0"))
                file.write(np.ascontiguousarray(images.array).data.cast("B"))
                file.write(bytes(tail_at - _PIXELS_AT - images.array.nbytes))
                file.write(tail)


class StoredNames(Sequence[str]):
    """Names in one block of memory, decoded when they are asked for: a million of them cost no memory."""

    def __init__(self, block: np.ndarray, ends: np.ndarray) -> None:
        self._block, self._ends = block, ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        positions = range(len(self))[index]
        return self._name(positions) if isinstance(positions, int) else tuple(map(self._name, positions))

    def __iter__(self) -> Iterator[str]:
        return map(self._name, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other))

    __hash__ = None  # pyright: ignore[reportAssignmentType] - as a list's

    def __repr__(self) -> str:
        return f"StoredNames({list(self[:3])}{'...' if len(self) > 3 else ''})"

    def _name(self, position: int) -> str:
        start = self._ends[position - 1] if position else 0
        return self._block[start : self._ends[position]].tobytes().decode(errors="surrogateescape")


def _tail_at(shape: Sequence[int]) -> int:
    """Where the tail of a file of so many pixels begins: its tables are of 8-byte numbers."""
    return _PIXELS_AT + -(-math.prod(shape) // 8) * 8


def _tail(images: ImageSet, digests: np.ndarray) -> bytes:
    names = [name.encode(errors="surrogateescape") for name in images.names]
    tables = {
        "ends": np.cumsum([len(name) for name in names], dtype="<i8"),
        "digests": digests,
        "labels": np.zeros(0, "<f4") if images.labels is None else images.labels.astype("<f4"),
        "names": np.frombuffer(b"".join(names), np.uint8),
    }
    facts = {
        "shape": images.array.shape,
        "c_dim": None if images.labels is None else images.c_dim,
        "class_names": images.class_names,
        "skipped": images.skipped,
        "num_ignored": images.num_ignored,
        "content_hash": images.content_hash,
        "bytes": {name: table.nbytes for name, table in tables.items()},
    }
    text = json.dumps(facts).encode()
    parts = [struct.pack("<Q", len(text)), _padded(text)]
    return b"".join([*parts, *(_padded(table.tobytes()) for table in tables.values())])


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _load(file: IO[bytes], path: Path, config: DataConfig) -> ImageSet:
    """Returns the set in a file; raises anything if it is not what `save` wrote.

    To be checked the file is read: what is touched through the mapping counts as memory of this process.
    """
    magic, tail_bytes, digest = _PREFIX.unpack(file.read(_PREFIX.size))
    raw = np.asarray(np.memmap(file, np.uint8, "r"))
    _require(magic == _MAGIC and 0 < tail_bytes < len(raw))
    file.seek(len(raw) - tail_bytes)
    _require(hashlib.file_digest(file, "sha256").digest() == digest)  # pyright: ignore[reportArgumentType]
    tail = raw[len(raw) - tail_bytes :]
    (text_bytes,) = struct.unpack_from("<Q", tail.data)
    facts = json.loads(tail[8 : 8 + text_bytes].tobytes())
    shape, c_dim = tuple(facts["shape"]), facts["c_dim"]
    num_images, height, width, channels = shape
    _require(num_images >= 2 and height >= 1 and width >= 1 and channels in (1, 3))
    _require(_tail_at(shape) + tail_bytes == len(raw))

    tables: dict[str, np.ndarray] = {}
    start = 8 + -(-text_bytes // 8) * 8
    for name, num_bytes in facts["bytes"].items():
        tables[name] = tail[start : start + num_bytes]
        start += -(-num_bytes // 8) * 8
    ends = tables["ends"].view("<i8")
    _require(ends.shape == (num_images,) and ends[0] >= 0 and bool((np.diff(ends) >= 0).all()))
    _require(ends[-1] == len(tables["names"]))
    labels = None
    if c_dim is not None:
        labels = tables["labels"].view("<f4").reshape(num_images, c_dim)

    num_pixels = num_images * height * width * channels
    array = raw[_PIXELS_AT : _PIXELS_AT + num_pixels].reshape(shape)
    _check_pixels(file, shape, tables["digests"].reshape(num_images, DIGEST_BYTES))
    class_names = facts["class_names"]
    return ImageSet(
        path=path,
        config=config,
        names=StoredNames(tables["names"], ends),
        array=array,
        labels=labels,
        class_names=None if class_names is None else tuple(class_names),
        skipped=tuple((name, reason) for name, reason in facts["skipped"]),
        num_ignored=facts["num_ignored"],
        content_hash=facts["content_hash"],
    )


def _check_pixels(file: IO[bytes], shape: Sequence[int], digests: np.ndarray) -> None:
    """Compares images with their digests: all of them, or 64 of a set that would take longer to read."""
    num_images, image_bytes = shape[0], math.prod(shape[1:])
    is_small = num_images * image_bytes <= _CHECKED_WHOLE_BYTES
    count = num_images if is_small else min(num_images, _CHECKED_ROWS)
    for row in np.linspace(0, num_images - 1, count, dtype=np.int64).tolist():
        file.seek(_PIXELS_AT + row * image_bytes)
        _require(hashlib.sha256(file.read(image_bytes)).digest() == digests[row].tobytes())


def _require(holds: Any) -> None:
    if not holds:
        raise ValueError("not a stored set")
