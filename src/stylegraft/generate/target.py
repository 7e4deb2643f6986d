"""Where a generated set goes: a free name, or that of an earlier set, replaced when the new one is whole."""

from __future__ import annotations

import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylegraft.errors import InputError, RunError
from stylegraft.files import make_folder, replace_folder
from stylegraft.generate.manifest import MANIFEST_NAME, is_manifest


@contextmanager
def target(path: Path, overwrite: bool) -> Iterator[Path]:
    """Yields the path to write a set to, which must not exist half-written at any time; ends by replacing.

    Args:
        path: a folder, or a zip by its suffix.
        overwrite: replace what is there, if an earlier `generate` wrote it: nobody should lose other files
            by a slip of the hand.

    Raises:
        InputError: the name is in use, or the place cannot be written.
        RunError: the earlier set cannot be replaced.
    """
    path = path.resolve()
    as_zip = path.suffix.lower() == ".zip"
    try:
        is_taken = any(path.iterdir()) if path.is_dir() and not as_zip else path.exists()
    except OSError as error:
        raise InputError(f"cannot look at {path} (--out): {error.strerror or error}.") from error
    if is_taken and not (overwrite and _holds_manifest(path)):
        raise InputError(
            f"--out {path}: expected a free name, got one in use. Choose another, or give --overwrite to "
            "replace a set that stylegraft generate wrote."
        )
    make_folder(path.parent, "--out")
    if as_zip or not is_taken:
        yield path
        return
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        yield fresh
        _replace_folder(path, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _holds_manifest(path: Path) -> bool:
    """Tells whether a folder or zip holds a manifest of ours."""
    try:
        if path.is_dir():
            text = (path / MANIFEST_NAME).read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                text = archive.read(MANIFEST_NAME)
    except (OSError, KeyError, zipfile.BadZipFile):
        return False
    return is_manifest(text.decode("utf-8", errors="replace"))


def _replace_folder(path: Path, fresh: Path) -> None:
    try:
        replace_folder(path, fresh)
    except OSError as error:
        raise RunError(f"cannot replace {path} (--out): {error.strerror or error}.") from error
