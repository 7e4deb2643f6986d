"""From the files of a set to pixels of one size, each file read once where that can be done."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stylegraft.data.cache import allocate_pixels
from stylegraft.data.config import DataConfig
from stylegraft.data.decode import Header, decode_image, read_header
from stylegraft.data.fit import choose_size, fit_image
from stylegraft.data.problems import bad_images_error, examples
from stylegraft.data.set_cache import DIGEST_BYTES
from stylegraft.data.sources import Source
from stylegraft.errors import DataError, RunError

Progress = Callable[[int, int], None]
Problem = tuple[str, str]
_Result = TypeVar("_Result")

_MAX_THREADS = 8
# Futures are made for so many files at a time: they cost more memory than small images do.
_FILES_AT_A_TIME = 1024
# Images above this are decoded one at a time, so that memory does not grow with the number of threads.
_LARGE_PIXELS = 16_000_000
_large_image_lock = threading.Lock()


@dataclass(frozen=True)
class Decoded:
    """The images that could be decoded."""

    names: list[str]
    array: np.ndarray
    """uint8 [N, H, W, C], read only."""
    digests: np.ndarray
    """SHA-256 of the pixels of each image, uint8 [N, 32]."""


def read_images(
    source: Source, config: DataConfig, progress: Progress | None
) -> tuple[Decoded, list[Problem]]:
    """Decodes all images of a set that can be decoded; returns them, and the problems of the others.

    Each file is read once, taking the first image for an example of all. Where it turns out to be none (mixed
    sizes, one image in colour), they are read again, in the knowledge of all headers.

    Args:
        source: the files.
        config: size, fit, channels, background.
        progress: see `open_image_set`.

    Raises:
        BadImagesError: files cannot be read and `config.skip_bad` is off; it lists all of them.
        DataError: fewer than two images can be read, or they are of mixed sizes without a fit.
        RunError: there is no room for the pixels.
    """
    headers, problems, decoded = _read_once(source, config, progress)
    if decoded is None:
        decoded, problems = _decode_by_headers(source, config, headers, problems, progress)
    if problems and not config.skip_bad:
        raise bad_images_error(source.path, problems, len(source.names))
    check_count(source, decoded.names, problems)
    return decoded, problems


def check_count(source: Source, names: Sequence[str], problems: Sequence[Problem]) -> None:
    """Refuses a set of less than two images.

    Args:
        source: where they are.
        names: those that can be used.
        problems: the others.

    Raises:
        DataError: with the reasons.
    """
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


class _Canvas:
    """An array for images of one size, and the digests of those that are in it."""

    def __init__(self, num_images: int, size: tuple[int, int], num_channels: int, config: DataConfig) -> None:
        self.size, self.num_channels, self._config = size, num_channels, config
        self.array = allocate_pixels((num_images, *size, num_channels), config.max_cache_mb << 20)
        self.digests = np.zeros((num_images, DIGEST_BYTES), np.uint8)

    def draw(self, position: int, data: bytes, header: Header) -> None:
        """Decodes a file into its place.

        Raises:
            DataError: its pixels cannot be decoded, or are not as its header says.
        """
        background = self._config.background_rgb
        with _turn(header):
            image = decode_image(data, self.num_channels, background)
            if (image.height, image.width) != header.size:
                raise DataError(f"its header says {header.size}, its pixels are {image.height, image.width}")
            pixels = np.asarray(fit_image(image, self.size, self._config.fit, background))
            del image  # before the next large image has its turn
        self.array[position] = pixels.reshape(self.array.shape[1:])
        digest = hashlib.sha256(self.array[position]).digest()
        self.digests[position] = np.frombuffer(digest, np.uint8)

    def keep(self, positions: Sequence[int], names: list[str]) -> Decoded:
        """Returns the images at some places, which are called `names`, moved together; read only."""
        for row, position in enumerate(positions):
            if row != position:
                self.array[row], self.digests[row] = self.array[position], self.digests[position]
        array = self.array[: len(names)]
        array.flags.writeable = False
        return Decoded(names, array, self.digests[: len(names)])


def _read_once(
    source: Source, config: DataConfig, progress: Progress | None
) -> tuple[dict[str, Header], list[Problem], Decoded | None]:
    """Looks at every file once: its header, and its pixels, taking the first image for an example of all.

    Returns the headers, the problems, and the images. These are None where one does not fit the first one's
    size or channels; the problems are then those of the headers alone.
    """
    names = source.names
    canvas, fits = _canvas_by_example(source, config), True
    known: dict[Header, tuple[Header, bool]] = {}  # one object for all equal headers: a million take room

    def work(position: int) -> tuple[Header, str | None] | str:
        nonlocal fits
        try:
            data = source.read(names[position])
            header = read_header(data)
        except DataError as error:
            return str(error)
        if header not in known:
            known[header] = header, canvas is not None and _fits(canvas, source, header, config)
        header, fits_example = known[header]
        if not fits_example:
            fits = False
        try:
            if fits and canvas is not None:
                canvas.draw(position, data, header)
        except DataError as error:
            return header, str(error)
        return header, None

    headers: dict[str, Header] = {}
    of_headers: list[Problem] = []
    of_pixels: list[Problem] = []
    drawn: list[int] = []
    for position, result in enumerate(_in_threads(work, len(names))):
        if isinstance(result, str):
            of_headers.append((names[position], result))
        else:
            headers[names[position]], reason = result
            if reason is None:
                drawn.append(position)
            else:
                of_pixels.append((names[position], reason))
        if progress:
            progress(position + 1, len(names))
    if canvas is None or not fits:
        return headers, of_headers, None
    return headers, of_headers + of_pixels, canvas.keep(drawn, [names[position] for position in drawn])


def _canvas_by_example(source: Source, config: DataConfig) -> _Canvas | None:
    """Returns an array for all images as the first that can be read suggests, or None if there is no room."""
    for name in source.names:
        with suppress(DataError):
            header = read_header(source.read(name))
            size = _one_size(source, {name: header}, config)
            if size is None:
                return None
            try:
                num_channels = config.channels or _infer_channels([header], config)
                return _Canvas(len(source.names), size, num_channels, config)
            except RunError:  # the images may be of mixed sizes, which is then what has to be said
                return None
    return None


def _fits(canvas: _Canvas, source: Source, header: Header, config: DataConfig) -> bool:
    """Whether an image agrees with the example that the canvas was made by."""
    if not config.channels and canvas.num_channels < _infer_channels([header], config):
        return False
    return _one_size(source, {"": header}, config) == canvas.size


def _decode_by_headers(
    source: Source,
    config: DataConfig,
    headers: dict[str, Header],
    problems: list[Problem],
    progress: Progress | None,
) -> tuple[Decoded, list[Problem]]:
    """Decodes a set whose first image is no example for the others; result and errors as `read_images`."""
    size = _one_size(source, headers, config)
    if size is None or (problems and not config.skip_bad):
        # Either the set is refused in any case, or an image of another size may be a damaged one: find
        # the damaged ones among those with good headers too.
        damaged = _find_undecodable(source, headers, progress)
        problems = problems + damaged
        headers = {name: header for name, header in headers.items() if name not in dict(damaged)}
    if problems and not config.skip_bad:
        raise bad_images_error(source.path, problems, len(source.names))
    check_count(source, list(headers), problems)
    if size is None:
        size = choose_size(source.path, {name: header.size for name, header in headers.items()}, config)
    num_channels = config.channels or _infer_channels(list(headers.values()), config)

    names = list(headers)
    canvas = _Canvas(len(names), size, num_channels, config)

    def work(position: int) -> str | None:
        try:
            canvas.draw(position, source.read(names[position]), headers[names[position]])
        except DataError as error:
            return str(error)
        return None

    damaged = _run(work, names, len(source.names), progress)
    bad = dict(damaged)
    drawn = [position for position, name in enumerate(names) if name not in bad]
    kept = canvas.keep(drawn, [names[position] for position in drawn])
    return kept, problems + damaged


def _run(
    work: Callable[[int], str | None], names: Sequence[str], num_done: int, progress: Progress | None
) -> list[Problem]:
    """Returns the names for which `work` gives a reason, with it; `num_done` images have been counted."""
    problems = []
    for position, reason in enumerate(_in_threads(work, len(names))):
        if reason is not None:
            problems.append((names[position], reason))
        if progress:
            progress(num_done + position + 1, num_done + len(names))
    return problems


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

    return _run(work, names, len(source.names), progress)


def _one_size(source: Source, headers: dict[str, Header], config: DataConfig) -> tuple[int, int] | None:
    """Returns the (height, width) of the set, or None if it is not clear from these images."""
    if not headers:
        return None
    try:
        return choose_size(source.path, {name: header.size for name, header in headers.items()}, config)
    except DataError:
        return None


def _infer_channels(headers: Sequence[Header], config: DataConfig) -> int:
    shows_background = config.fit == "pad" or any(header.has_alpha for header in headers)
    is_grey = all(header.is_grey for header in headers)
    return 1 if is_grey and (not shows_background or len(set(config.background_rgb)) == 1) else 3


def _turn(header: Header) -> AbstractContextManager[object]:
    return _large_image_lock if header.height * header.width > _LARGE_PIXELS else nullcontext()


def _in_threads(work: Callable[[int], _Result], count: int) -> Iterator[_Result]:
    """Yields work(0), work(1)... in order, computed by threads (Pillow and hashing release the GIL)."""
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        for start in range(0, count, _FILES_AT_A_TIME):
            yield from pool.map(work, range(start, min(count, start + _FILES_AT_A_TIME)))
