"""The held-out split of large sets, kept on disk: telling the sources of a million names takes a while."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from stylegraft.data import split as rules
from stylegraft.data.split import NamedImages, Split, make_split, split_holdout
from stylegraft.disk_cache import DiskCache
from stylegraft.errors import RunError

_MAX_BYTES = 256 << 20


def stored_split(
    images: NamedImages,
    content_hash: str,
    fraction: float,
    seed: int,
    min_images: int,
    folder: str | Path | None = None,
) -> Split:
    """Returns what `split_holdout` returns, from disk if it was asked for before.

    Args:
        images: as for `split_holdout`.
        content_hash: differs when any name or class differs.
        fraction: as for `split_holdout`, as are `seed` and `min_images`.
        seed: see there.
        min_images: see there.
        folder: where splits are kept; None: "splits" in `cache_folder`.
    """
    files = DiskCache("splits", ".npz", _MAX_BYTES, folder)
    facts = (content_hash, fraction, seed, min_images, Path(rules.__file__).read_bytes())
    key = hashlib.sha256(repr(facts).encode()).hexdigest()
    num_images = len(images.names)
    with suppress(Exception), files.open(key) as file, np.load(file, allow_pickle=False) as stored:
        holdout, note = stored["holdout"], str(stored["note"])
        is_sorted = holdout.dtype == np.int64 and holdout.ndim == 1 and (np.diff(holdout) > 0).all()
        if is_sorted and (len(holdout) == 0 or (holdout[0] >= 0 and holdout[-1] < num_images)):
            return make_split(num_images, holdout, note or None)
    split = split_holdout(images, fraction, seed, min_images)
    with suppress(RunError), files.writing(key) as file:
        np.savez(file, holdout=split.holdout_indices, note=np.array(split.note or ""))  # pyright: ignore[reportArgumentType]
    return split
