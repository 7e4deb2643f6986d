"""What was measured of real images, kept on disk, so that the same images are never measured twice."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from stylegraft.disk_cache import DiskCache
from stylegraft.errors import RunError
from stylegraft.metrics.feature_stats import FeatureStats

_SCHEMA_VERSION = 3
_MAX_BYTES = 4 << 30


class StatsCache:
    """A folder of feature statistics and of features, one npz file a key.

    A file that is damaged, or a folder that cannot be written, only costs the time to measure again.

    Args:
        folder: where the files are; None: "statistics" in `cache_folder`.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._files = DiskCache("statistics", ".npz", _MAX_BYTES, folder)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._files.folder

    def load(self, key: str, dim: int) -> FeatureStats | None:
        """Returns the statistics stored under `key`, or None if there are none that can be trusted."""
        found = self._load(key, "n", "mean", "root")
        if found is None:
            return None
        n, mean, root = found
        if n.shape != () or mean.shape != (dim,) or root.ndim != 2 or root.shape[1] != dim:
            return None
        return FeatureStats.from_root(int(n), mean, root)

    def save(self, key: str, stats: FeatureStats) -> None:
        """Stores statistics under `key`, atomically."""
        self._save(key, n=np.asarray(stats.n), mean=stats.mean, root=stats.root)

    def load_features(self, key: str, num: int, dim: int) -> np.ndarray | None:
        """Returns the features [num, dim] stored under `key`, or None if there are none to be trusted."""
        found = self._load(key, "features")
        return found[0] if found is not None and found[0].shape == (num, dim) else None

    def save_features(self, key: str, features: np.ndarray) -> None:
        """Stores features [num, dim] under `key`, atomically."""
        self._save(key, features=features)

    def _load(self, key: str, *names: str) -> list[np.ndarray] | None:
        try:
            # Members of a zip carry a checksum, which reading verifies.
            with self._files.open(key) as file, np.load(file, allow_pickle=False) as arrays:
                return [arrays[name] for name in names]
        except Exception:  # A damaged archive raises nearly anything; whatever it is, the remedy is the same.
            return None

    def _save(self, key: str, **arrays: np.ndarray) -> None:
        with suppress(RunError), self._files.writing(key) as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]


def statistics_key(
    *,
    content_hash: str,
    indices: np.ndarray,
    orientation: str,
    network: str,
    network_sha256: str,
    precision: str,
    kind: str = "statistics",
) -> str:
    """Returns the name of some statistics: a hash of everything that they depend on.

    Args:
        content_hash: of the image set.
        indices: which of its images.
        orientation: how they are turned.
        network: that took the features.
        network_sha256: of its weights.
        precision: of its convolutions.
        kind: "statistics" or "features".
    """
    facts: dict[str, Any] = {
        "schema": _SCHEMA_VERSION,
        "content_hash": content_hash,
        "indices": hashlib.sha256(np.asarray(indices, "<i8").tobytes()).hexdigest(),
        "orientation": orientation,
        "network": network,
        "network_sha256": network_sha256,
        "precision": precision,
        "kind": kind,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
