"""Files that are whole or absent: atomic writes, content hashes, archive members that stay inside."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from stylegraft.errors import InputError, RunError

_CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Opens a binary file that appears under `path` only when the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to disk (fsync) and renamed, so that a
    reader sees the old file or the new one and never half of it. Missing parent folders are made.

    Raises:
        RunError: the folder cannot be written or the disk is full; the temporary file is removed.
    """
    path = Path(path)
    handle = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, before the rename
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
        )
        with handle:
            yield handle  # pyright: ignore[reportReturnType]
            handle.flush()
            os.fsync(handle.fileno())
        Path(handle.name).chmod(0o666 & ~_umask())
        Path(handle.name).replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        if handle is not None:
            Path(handle.name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RunError(
                f"cannot write {path}: {error.strerror or error}. Check free space and permissions."
            ) from error
        raise


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Makes a folder that appears under `path`, with its files, only when the block ends without an error.

    The files go to a hidden folder beside it, are flushed to disk (fsync), and the folder is renamed; one
    that was there is replaced. No system swaps two folders in one step: whoever reads in between finds none.

    Raises:
        RunError: the place cannot be written or the disk is full; the old folder stays, no new one does.
    """
    path = Path(path).resolve()
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        for file in fresh.iterdir():
            with file.open("rb+") as handle:
                os.fsync(handle.fileno())
        sync_folder(fresh)
        replace_folder(path, fresh)
        sync_folder(path.parent)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error}. Check free space and permissions.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace_folder(path: Path, fresh: Path) -> None:
    """Puts a finished folder in the place of an old one, which stays if that fails.

    Raises:
        OSError: one of them cannot be renamed.
    """
    old = fresh.with_suffix(".old")
    if path.exists():
        path.rename(old)
    try:
        fresh.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def check_free(path: Path, overwrite: bool, own_names: Collection[str] = ()) -> None:
    """Makes sure that writing to `path` loses nothing that somebody did not mean to lose.

    Args:
        path: the file or folder to be written.
        overwrite: it may be there, if it is a file, or a folder with no other entries than `own_names`.
        own_names: what a folder of its kind consists of; none when a file is to be written.

    Raises:
        InputError: the name is in use.
    """
    if not path.exists() or (own_names and path.is_dir() and not any(path.iterdir())):
        return
    what = "a file"
    if path.is_dir():
        strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in own_names)
        what = f"a folder that holds {strangers[0]}" if strangers else "a folder"
        can_go = bool(own_names) and not strangers
    else:
        can_go = not own_names
    if not (overwrite and can_go):
        hint = ", or give --overwrite" if can_go else ""
        raise InputError(f"--out {path}: expected a free name, got {what} in use. Choose another{hint}.")


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes `data` to `path` atomically (see `atomic_file`)."""
    with atomic_file(path) as file:
        file.write(data)


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8 text to `path` atomically (see `atomic_file`)."""
    write_bytes(path, text.encode("utf-8"))


def sha256_file(path: str | Path) -> str:
    """Returns the SHA-256 of a file's bytes as 64 hex digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def make_folder(path: str | Path, flag: str) -> Path:
    """Makes a folder that can be written, or says which flag named an impossible one.

    Raises:
        InputError: something else has the name, or the place is read-only.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to {path} ({flag}): {error.strerror or error}. Name a folder you may write to."
        ) from error
    return path


def cache_folder() -> Path:
    """Returns where stylegraft may keep what it can make anew: `STYLEGRAFT_CACHE`, or the system's place."""
    named = os.environ.get("STYLEGRAFT_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stylegraft"


def safe_member_name(name: str, archive: str | Path) -> str:
    """Returns an archive member's name if it stays inside the folder it would be unpacked to.

    Raises:
        InputError: the name is absolute, has a drive letter, a backslash or climbs with `..`.
    """
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ".." in parts or (parts and ":" in parts[0]):
        raise InputError(
            f"unsafe member name {name!r} in {archive}: expected a relative path inside the archive. "
            "Make the archive anew from a folder you trust."
        )
    return name


def sync_folder(folder: Path) -> None:
    """Makes a rename durable; a folder cannot be opened for this on every system, and then it is skipped."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
