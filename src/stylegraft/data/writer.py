"""Writes image sets: a zip in the layout of the official tools, or a folder; whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.data.labels import LABEL_FILE, label_file_text
from stylegraft.errors import InputError, RunError
from stylegraft.files import atomic_file, safe_member_name

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_MAX_THREADS = 8
# zlib's default of 6 takes twice the time of this, time that a generator needs, to save 7 % of space.
_COMPRESS_LEVEL = 3


def official_name(index: int) -> str:
    """Returns the name that the official tools give to image `index`: 00000/img00000000.png."""
    return f"{index // 1000:05d}/img{index:08d}.png"


def write_image_set(
    path: str | Path,
    images: Iterable[np.ndarray],
    names: Sequence[str] | None = None,
    labels: Sequence[int] | np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    extra_files: Mapping[str, bytes] | None = None,
) -> Path:
    """Writes PNG files and their dataset.json; the same arguments give the same bytes.

    Args:
        path: ends in .zip for a zip (members stored, times fixed), anything else is a new or empty folder.
        images: uint8 [H, W, C] with C 1 or 3, or [H, W]; taken one at a time, so it may be a generator.
        names: relative file names with `/` ending in .png, one an image; None: those of the official tools.
        labels: class indices [N] or vectors [N, c_dim]; None writes null.
        class_names: kept in dataset.json beside the labels.
        extra_files: other files to put beside the images, by name (a manifest).

    Returns:
        The path written.

    Raises:
        InputError: the folder exists and holds something, or a name leaves it.
        RunError: the place cannot be written.
        ValueError: images, names and labels differ in number, or an image has another type or shape.
    """
    path = Path(path)
    files = _files(path, images, names, labels, class_names, extra_files or {})
    if path.suffix.lower() == ".zip":
        _write_zip(path, files)
    else:
        _write_folder(path, files)
    return path


def _files(
    path: Path,
    images: Iterable[np.ndarray],
    names: Sequence[str] | None,
    labels: Sequence[int] | np.ndarray | None,
    class_names: Sequence[str] | None,
    extra_files: Mapping[str, bytes],
) -> Iterator[tuple[str, bytes]]:
    """Yields (name, bytes) of each file in turn, checking on the way."""
    written: list[str] = []
    seen = {LABEL_FILE, *extra_files}
    planned = iter(names) if names is not None else map(official_name, count())
    for png in _encoded(images):
        name = next(planned, None)
        if name is None:
            raise ValueError(f"write_image_set: more images than the {len(written)} names")
        if safe_member_name(name, path) in seen:
            raise ValueError(f"write_image_set: the name {name!r} is given twice")
        seen.add(name)
        written.append(name)
        yield name, png
    if names is not None and len(names) != len(written):
        raise ValueError(f"write_image_set: {len(written)} images for {len(names)} names")
    if labels is not None and len(labels) != len(written):
        raise ValueError(f"write_image_set: {len(written)} images for {len(labels)} labels")
    yield LABEL_FILE, label_file_text(written, labels, class_names).encode()
    for name, data in extra_files.items():
        yield safe_member_name(name, path), data


def _encoded(images: Iterable[np.ndarray]) -> Iterator[bytes]:
    """Yields the images as PNG in their order, encoded by threads (zlib lets go of the interpreter)."""
    num_threads = min(_MAX_THREADS, os.cpu_count() or 1)
    coming: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(num_threads) as pool:
        for image in images:
            coming.append(pool.submit(_png, image))
            if len(coming) > 2 * num_threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _png(image: np.ndarray) -> bytes:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(f"write_image_set: expected uint8 [H, W, 1 or 3], got {image.dtype} {image.shape}")
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[2:] == (1,) else image).save(
        buffer, "png", compress_level=_COMPRESS_LEVEL
    )
    return buffer.getvalue()


def _write_zip(path: Path, files: Iterator[tuple[str, bytes]]) -> None:
    with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            member = zipfile.ZipInfo(name, _ZIP_TIME)
            member.create_system = 3  # Unix, on every system: the bytes are to be the same everywhere
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data)


def _write_folder(path: Path, files: Iterator[tuple[str, bytes]]) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"cannot write images to {path}: expected a new or empty folder. Name another one.")
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
        whole = partial / path.name  # mkdtemp's own folder is private to the user; this one is not
        whole.mkdir()
        for name, data in files:
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            (whole / name).write_bytes(data)
        if path.exists():
            path.rmdir()
        whole.rename(path)
    except OSError as error:
        raise RunError(
            f"cannot write images to {path}: {error.strerror or error}. Check free space and permissions."
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
