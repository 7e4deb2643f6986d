"""`open_image_set`: find, check, decode and fit all images of a set before anything else starts."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.decode import DECODING_RULES
from stylegraft.data.labels import Labels, read_labels
from stylegraft.data.reading import Progress, check_count, read_images
from stylegraft.data.set_cache import SetCache, set_key
from stylegraft.data.sources import open_source


def open_image_set(
    path: str | Path, config: DataConfig | None = None, progress: Progress | None = None
) -> ImageSet:
    """Reads a folder, a folder of class folders, or a zip of either (official tools' zips included).

    A set that was opened before, and whose files have kept their sizes and times, comes from disk as it was
    decoded then (`set_cache`). The files of any other set are all decoded, by threads, so that every problem
    is known before any work starts.

    Args:
        path: folder or zip.
        config: size, fit, channels and so on; None: the defaults.
        progress: called as progress(done, total) from this thread, once a file; if the files have to be read
            twice (`read_images`), `total` grows.

    Raises:
        BadImagesError: files cannot be read and `config.skip_bad` is off; it lists all of them.
        DataError: nothing to read, fewer than two images, mixed sizes without a fit, wrong labels.
        RunError: the decoded pixels fit neither in `config.max_cache_mb` nor in the temporary folder.
    """
    path, config = Path(path), config or DataConfig()
    cache = SetCache(config.disk_cache_mb << 20)
    key = set_key(path, config) if config.disk_cache_mb else None
    stored = None if key is None else cache.load(key, path, config)
    if stored is not None:
        return stored
    images, digests = _read_image_set(path, config, progress)
    # Unless files changed meanwhile; then what was read may be half of either.
    if key is not None and set_key(path, config) == key:
        cache.save(key, images, digests)
        # From here on as when it is opened next, without a copy of the pixels in memory.
        return cache.load(key, path, config) or images
    return images


def _read_image_set(path: Path, config: DataConfig, progress: Progress | None) -> tuple[ImageSet, np.ndarray]:
    """Returns a set from its files, and the SHA-256 of each image, uint8 [N, 32]."""
    with open_source(path) as source, _quiet_pillow():
        check_count(source, source.names, ())
        labels = read_labels(source) if config.labels == "auto" else None
        decoded, problems = read_images(source, config, progress)
    names, array, digests = decoded.names, decoded.array, decoded.digests
    images = ImageSet(
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
    return images, digests


def _content_hash(
    names: Sequence[str],
    digests: np.ndarray,
    shape: tuple[int, ...],
    labels: Labels | None,
    config: DataConfig,
) -> str:
    settings = (DECODING_RULES, shape[1:], config.fit, config.background_rgb)
    content = hashlib.sha256(repr(settings).encode())
    for name, digest in zip(names, digests):
        encoded = name.encode(errors="surrogateescape")
        content.update(len(encoded).to_bytes(4, "little") + encoded + digest.tobytes())
    if labels is not None:
        content.update(repr((labels.c_dim, labels.class_names)).encode())
        content.update(labels.array(names).tobytes())
    return content.hexdigest()


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silences Pillow's warnings (odd EXIF, large images): what matters comes as an error of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
