"""Statistics of real images kept on disk, so that the same images are never measured twice."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from stylegraft.errors import RunError
from stylegraft.files import atomic_file
from stylegraft.metrics.feature_stats import FeatureStats

_SCHEMA_VERSION = 1


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


class StatsCache:
    """A folder of feature statistics, one npz file a key.

    A file that is damaged, or a folder that cannot be written, only costs the time to measure again.

    Args:
        folder: where the files are; None: "statistics" in `cache_folder`.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = cache_folder() / "statistics" if folder is None else Path(folder)

    def load(self, key: str, dim: int) -> FeatureStats | None:
        """Returns the statistics stored under `key`, or None if there are none that can be trusted."""
        try:
            # Members of a zip carry a checksum, which reading verifies.
            with self._path(key).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                n, mean, root = int(arrays["n"]), arrays["mean"], arrays["root"]
        except Exception:  # A damaged archive raises nearly anything; whatever it is, the remedy is the same.
            return None
        if mean.shape != (dim,) or root.ndim != 2 or root.shape[1] != dim:
            return None
        return FeatureStats.from_root(n, mean, root)

    def save(self, key: str, stats: FeatureStats) -> None:
        """Stores statistics under `key`, atomically."""
        with suppress(RunError), atomic_file(self._path(key)) as file:
            np.savez(file, n=stats.n, mean=stats.mean, root=stats.root)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def statistics_key(
    *, content_hash: str, indices: np.ndarray, orientation: str, network: str, network_sha256: str
) -> str:
    """Returns the name of some statistics: a hash of everything that they depend on."""
    facts: dict[str, Any] = {
        "schema": _SCHEMA_VERSION,
        "content_hash": content_hash,
        "indices": hashlib.sha256(np.asarray(indices, "<i8").tobytes()).hexdigest(),
        "orientation": orientation,
        "network": network,
        "network_sha256": network_sha256,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
