"""`open_image_set`: find, check, decode and fit all images of a set before anything else starts."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import numpy as np

from stylegraft.data.cache import allocate_pixels
from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.decode import Header, decode_image, read_header
from stylegraft.data.fit import choose_size, fit_image
from stylegraft.data.labels import Labels, read_labels
from stylegraft.data.problems import bad_images_error, examples
from stylegraft.data.sources import Source, open_source
from stylegraft.errors import DataError

Progress = Callable[[int, int], None]
Problem = tuple[str, str]
_Result = TypeVar("_Result")

# Hashed with the content, so that statistics cached by an older rule of decoding are not taken for new ones.
_HASH_VERSION = "stylegraft image set 1"
_MAX_THREADS = 8
# Futures are made for so many files at a time: they cost more memory than small images do.
_FILES_AT_A_TIME = 1024
# Images above this are decoded one at a time, so that memory does not grow with the number of threads.
_LARGE_PIXELS = 16_000_000
_large_image_lock = threading.Lock()


def open_image_set(
    path: str | Path, config: DataConfig | None = None, progress: Progress | None = None
) -> ImageSet:
    """Reads a folder, a folder of class folders, or a zip of either (official tools' zips included).

    All files are looked at first, so that every problem is known before any work starts; then they are
    decoded, by threads, into one array.

    Args:
        path: folder or zip.
        config: size, fit, channels and so on; None: the defaults.
        progress: called as progress(done, total) from this thread, twice an image: once for its header and
            once for its pixels.

    Raises:
        BadImagesError: files cannot be read and `config.skip_bad` is off; it lists all of them.
        DataError: nothing to read, fewer than two images, mixed sizes without a fit, wrong labels.
        RunError: the decoded pixels fit neither in `config.max_cache_mb` nor in the temporary folder.
    """
    config = config or DataConfig()
    with open_source(path) as source, _quiet_pillow():
        _check_count(source, source.names, ())
        labels = read_labels(source) if config.labels == "auto" else None
        headers, problems = _read_headers(source, progress)
        size = _one_size(source, headers, config)
        if size is None or (problems and not config.skip_bad):
            # Either the set is refused in any case, or an image of another size may be a damaged one: find
            # the damaged ones among those with good headers too.
            damaged = _find_undecodable(source, headers, progress)
            problems += damaged
            headers = {name: header for name, header in headers.items() if name not in dict(damaged)}
        if problems and not config.skip_bad:
            raise bad_images_error(source.path, problems, len(source.names))
        _check_count(source, list(headers), problems)
        if size is None:
            size = choose_size(source.path, {name: header.size for name, header in headers.items()}, config)

        num_channels = config.channels or _infer_channels(headers, config)
        array, names, digests, damaged = _decode(source, headers, size, num_channels, config, progress)
        problems += damaged
        if problems and not config.skip_bad:
            raise bad_images_error(source.path, problems, len(source.names))
        _check_count(source, names, problems)
    return ImageSet(
        path=source.path,
        config=config,
        names=tuple(names),
        array=array,
        labels=None if labels is None else labels.array(names),
        class_names=None if labels is None else labels.class_names,
        skipped=tuple(sorted(problems)),
        num_ignored=source.num_ignored,
        content_hash=_content_hash(names, digests, array.shape, labels, config),
    )


def _check_count(source: Source, names: Sequence[str], problems: Sequence[Problem]) -> None:
    if len(names) >= 2:
        return
    found = ["no image", "one image"][len(names)]
    if problems:
        reasons = examples([f"{name} ({reason})" for name, reason in sorted(problems)])
        found += f" that can be read, {len(problems)} that cannot: {reasons}"
    elif source.num_ignored:
        found += f" among {len(source.names) + source.num_ignored} files"
    raise DataError(
        f"{source.path}: expected at least two images, got {found}. Add images, or check the path."
    )


def _read_headers(source: Source, progress: Progress | None) -> tuple[dict[str, Header], list[Problem]]:
    def work(position: int) -> Header | str:
        try:
            return read_header(source.read(source.names[position]))
        except DataError as error:
            return str(error)

    headers, problems = {}, []
    total = 2 * len(source.names)
    for position, result in enumerate(_in_threads(work, len(source.names))):
        if isinstance(result, str):
            problems.append((source.names[position], result))
        else:
            headers[source.names[position]] = result
        if progress:
            progress(position + 1, total)
    return headers, problems


def _find_undecodable(source: Source, headers: dict[str, Header], progress: Progress | None) -> list[Problem]:
    names = list(headers)

    def work(position: int) -> str | None:
        name = names[position]
        try:
            with _turn(headers[name]):
                decode_image(source.read(name), 3, (0, 0, 0))
        except DataError as error:
            return str(error)
        return None

    problems = []
    for position, reason in enumerate(_in_threads(work, len(names))):
        if reason is not None:
            problems.append((names[position], reason))
        if progress:
            progress(len(source.names) + position + 1, len(source.names) + len(names))
    return problems


def _one_size(source: Source, headers: dict[str, Header], config: DataConfig) -> tuple[int, int] | None:
    """Returns the (height, width) of the set, or None if it is not clear from these images."""
    if not headers:
        return None
    try:
        return choose_size(source.path, {name: header.size for name, header in headers.items()}, config)
    except DataError:
        return None


def _infer_channels(headers: dict[str, Header], config: DataConfig) -> int:
    shows_background = config.fit == "pad" or any(header.has_alpha for header in headers.values())
    is_grey = all(header.is_grey for header in headers.values())
    return 1 if is_grey and (not shows_background or len(set(config.background_rgb)) == 1) else 3


def _decode(
    source: Source,
    headers: dict[str, Header],
    size: tuple[int, int],
    num_channels: int,
    config: DataConfig,
    progress: Progress | None,
) -> tuple[np.ndarray, list[str], list[bytes], list[Problem]]:
    """Decodes into one array; returns it with the names, a SHA-256 of each image, and the problems."""
    names = list(headers)
    array = allocate_pixels((len(names), *size, num_channels), config.max_cache_mb << 20)
    background = config.background_rgb

    def work(position: int) -> bytes | str:
        name = names[position]
        try:
            with _turn(headers[name]):
                image = decode_image(source.read(name), num_channels, background)
                if (image.height, image.width) != headers[name].size:
                    raise DataError(
                        f"its header says {headers[name].size}, its pixels are {image.height, image.width}"
                    )
                pixels = np.asarray(fit_image(image, size, config.fit, background))
                del image  # before the next large image has its turn
        except DataError as error:
            return str(error)
        array[position] = pixels.reshape(*size, num_channels)
        return hashlib.sha256(array[position]).digest()

    kept: list[str] = []
    digests: list[bytes] = []
    problems: list[Problem] = []
    for position, result in enumerate(_in_threads(work, len(names))):
        if isinstance(result, str):
            problems.append((names[position], result))
        else:
            kept.append(names[position])
            digests.append(result)
        if progress:
            progress(len(source.names) + position + 1, len(source.names) + len(names))
    if problems:
        bad = {name for name, _ in problems}
        for row, position in enumerate(index for index, name in enumerate(names) if name not in bad):
            array[row] = array[position]
    array = array[: len(kept)]
    array.flags.writeable = False
    return array, kept, digests, problems


def _content_hash(
    names: Sequence[str],
    digests: Sequence[bytes],
    shape: tuple[int, ...],
    labels: Labels | None,
    config: DataConfig,
) -> str:
    settings = (_HASH_VERSION, shape[1:], config.fit, config.background_rgb)
    content = hashlib.sha256(repr(settings).encode())
    for name, digest in zip(names, digests):
        encoded = name.encode(errors="surrogateescape")
        content.update(len(encoded).to_bytes(4, "little") + encoded + digest)
    if labels is not None:
        content.update(repr((labels.c_dim, labels.class_names)).encode())
        content.update(labels.array(names).tobytes())
    return content.hexdigest()


def _turn(header: Header) -> AbstractContextManager[object]:
    return _large_image_lock if header.height * header.width > _LARGE_PIXELS else nullcontext()


def _in_threads(work: Callable[[int], _Result], count: int) -> Iterator[_Result]:
    """Yields work(0), work(1)... in order, computed by threads (Pillow and hashing release the GIL)."""
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        for start in range(0, count, _FILES_AT_A_TIME):
            yield from pool.map(work, range(start, min(count, start + _FILES_AT_A_TIME)))


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silences Pillow's warnings (odd EXIF, large images): what matters comes as an error of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
