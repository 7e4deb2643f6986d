"""Where the files of an image set lie: a folder or a zip, behind one small protocol.

Only names and bytes here; nothing is unpacked to disk. Hidden files and those whose extension says that
they are no images (texts, tables, dataset.json) are left out; any other file with an extension is taken to
be an image, so that a format nobody can read is reported rather than skipped in silence.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Protocol

from stylegraft.data.problems import examples
from stylegraft.errors import DataError, InputError
from stylegraft.files import safe_member_name

MAX_FILE_BYTES = 512 << 20
# Deflate shrinks at most about 1030 times. Real images, even flat ones in an uncompressed format, that are
# both this large and this compressible do not occur; archives made to exhaust memory do.
_BOMB_BYTES = 64 << 20
_BOMB_RATIO = 200

_NOT_IMAGES = frozenset(
    (".txt", ".json", ".jsonl", ".md", ".rst", ".csv", ".tsv", ".html", ".xml", ".yaml", ".yml", ".py", ".db")
)


class Source(Protocol):
    """The files of an image set."""

    path: Path
    names: list[str]
    """Names of the image files, relative, with `/`, sorted."""
    num_ignored: int
    """How many other visible files there are."""

    def read(self, name: str) -> bytes:
        """Returns the bytes of a file.

        Raises:
            DataError: no such file, not a regular file, damaged, or too large.
        """
        ...

    def has(self, name: str) -> bool:
        """Tells whether there is a file (image or not) of that name."""
        ...


@contextmanager
def open_source(path: str | Path) -> Iterator[Source]:
    """Opens a folder or a zip file.

    Raises:
        DataError: no such path, neither folder nor zip, or a zip with unsafe, doubled, encrypted or
            bomb-like members.
    """
    path = Path(path)
    if path.is_dir():
        yield _FolderSource(path)
    elif not path.exists():
        raise DataError(f"no image set at {path}: no such file or folder. Check the path.")
    elif not path.is_file() or not zipfile.is_zipfile(path):
        damaged = " (damaged or incomplete?)" if path.suffix.lower() == ".zip" else ""
        raise DataError(f"cannot read {path}: expected a folder of images or a zip file{damaged}.")
    else:
        try:
            archive = zipfile.ZipFile(path)
        except Exception as error:  # zipfile promises BadZipFile, but lets through others
            raise DataError(f"cannot read {path}: damaged zip file ({error}). Make it anew.") from error
        with archive:
            yield _ZipSource(path, archive)


def file_stamps(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Yields name, bytes, and times of the last changes of content and of anything, in ns, of a set's files.

    A zip is one file; of a folder all that are not hidden count, sorted. What is not there has no stamps.

    Raises:
        DataError: a folder cannot be listed.
    """
    is_folder = path.is_dir()
    for name in sorted(filter(_is_visible, _list_files(path))) if is_folder else [path.name]:
        with suppress(OSError):
            status = os.stat(os.path.join(path, name) if is_folder else path)  # noqa: PTH116, PTH118 - a million
            yield name, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _list_files(path: Path) -> list[str]:
    """Returns the files in and below a folder, relative, with `/`; hidden folders are not entered."""
    found: list[str] = []

    def refuse(error: OSError) -> None:
        raise DataError(f"cannot list {error.filename}: {error.strerror}. Check its permissions.") from error

    seen = {path.resolve()}  # linked folders are followed, but never in a circle
    for folder, subfolders, files in os.walk(path, onerror=refuse, followlinks=True):
        inner = {name: (Path(folder) / name).resolve() for name in sorted(subfolders)}
        subfolders[:] = [name for name, real in inner.items() if not _is_hidden(name) and real not in seen]
        seen.update(inner.values())
        relative = Path(folder).relative_to(path).as_posix()
        found += files if relative == "." else [f"{relative}/{name}" for name in files]
    return found


class _FolderSource:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.names, self.num_ignored = _select_images(_list_files(path))

    def read(self, name: str) -> bytes:
        file = self.path / name
        try:
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
                raise DataError("not a regular file")
            _check_file_bytes(status.st_size)
            return file.read_bytes()
        except OSError as error:
            raise DataError(error.strerror or str(error)) from error

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()


class _ZipSource:
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        members = [info for info in archive.infolist() if not info.filename.endswith("/")]
        _check_members(path, members)
        self._members = {info.filename: info for info in members}
        self.names, self.num_ignored = _select_images(list(self._members))

    def read(self, name: str) -> bytes:
        info = self._members[name]
        _check_file_bytes(info.file_size)
        if info.file_size > _BOMB_BYTES and info.file_size > _BOMB_RATIO * max(info.compress_size, 1):
            raise DataError(
                f"unpacks from {info.compress_size:,} to {info.file_size:,} bytes; refused as a zip bomb"
            )
        try:
            with self._archive.open(info) as file:
                # One byte more than declared: zipfile stops at the declared size itself, and a member
                # that holds more or less than it declares then fails its checksum or the test below.
                data = file.read(info.file_size + 1)
        except Exception as error:  # zipfile lets through what its decompressors and text codecs raise
            raise DataError(f"damaged in the zip ({error or type(error).__name__})") from error
        if len(data) != info.file_size:
            raise DataError(f"holds {len(data):,} bytes in the zip where {info.file_size:,} are declared")
        return data

    def has(self, name: str) -> bool:
        return name in self._members


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    for info in members:
        if not info.filename or "\0" in info.orig_filename:
            raise DataError(f"unsafe member name {info.orig_filename!r} in {path}. Make the zip anew.")
        try:
            # ZipInfo.filename has backslashes replaced on Windows: judge what was written.
            safe_member_name(info.orig_filename, path)
        except InputError as error:
            raise DataError(str(error)) from error
    encrypted = [info.filename for info in members if info.flag_bits & 1]
    if encrypted:
        raise DataError(
            f"{len(encrypted)} of {len(members)} files in {path} are encrypted: {examples(encrypted)}. "
            "Make the zip anew without a password."
        )
    doubled = [name for name, count in Counter(info.filename for info in members).items() if count > 1]
    if doubled:
        raise DataError(
            f"{len(doubled)} names occur more than once in {path}: {examples(doubled)}. "
            "Make the zip anew with one file for each name."
        )


def _check_file_bytes(num_bytes: int) -> None:
    if num_bytes > MAX_FILE_BYTES:
        raise DataError(f"{num_bytes:,} bytes; files of up to {MAX_FILE_BYTES:,} bytes are read")
    if num_bytes == 0:
        raise DataError("empty file")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_visible(name: str) -> bool:
    return not any(_is_hidden(part) for part in name.split("/"))


def _select_images(found: list[str]) -> tuple[list[str], int]:
    """Returns the sorted names of image files and the number of other files that are not hidden."""
    visible = [name for name in found if _is_visible(name)]
    images = sorted(name for name in visible if _may_be_image(name))
    return images, len(visible) - len(images)


def _may_be_image(name: str) -> bool:
    extension = PurePosixPath(name).suffix.lower()
    return extension != "" and extension not in _NOT_IMAGES
