"""Feature statistics of real images (cached) and of generated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import numpy as np

from stylegraft.evaluation.stats_cache import StatsCache, statistics_key
from stylegraft.features.registry import FeatureNetwork
from stylegraft.metrics.feature_stats import FeatureStats

BATCH = 32

Advance = Callable[[int], None]
"""Called with the number of images that were just done."""

SampleFakes = Callable[[int, int], np.ndarray]
"""`sample_fakes(start, count)` gives uint8 [count, H, W, C]; the same at each call, for curves to compare."""

Orientation = Literal["as_is", "both", "random"]
"""Images as they are, each with its mirror image, or each mirrored or not by a fixed coin toss."""


class RealImages(Protocol):
    """What is needed of an image set."""

    @property
    def content_hash(self) -> str:
        """Differs when any pixel differs."""
        ...

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        """Returns some images, uint8 [n, H, W, C]."""
        ...


class RealStatistics:
    """Measures parts of an image set, each part once and for all.

    Args:
        images: the set.
        network: takes the features.
        cache: where statistics stay between processes.
    """

    def __init__(self, images: RealImages, network: FeatureNetwork, cache: StatsCache) -> None:
        self._images = images
        self._network = network
        self._cache = cache
        self._known: dict[str, FeatureStats] = {}

    def measure(
        self, indices: np.ndarray, orientation: Orientation, advance: Advance | None = None
    ) -> FeatureStats:
        """Returns the statistics of some images, from the cache if they were measured before."""
        key = statistics_key(
            content_hash=self._images.content_hash,
            indices=indices,
            orientation=orientation,
            network=self._network.name,
            network_sha256=self._network.sha256,
            precision=self._network.precision,
        )
        stats = self._known.get(key) or self._cache.load(key, self._network.dim)
        if stats is None:
            stats = self._measure(indices, orientation, advance)
            self._cache.save(key, stats)
        elif advance:
            advance(num_passes(indices, orientation))
        self._known[key] = stats
        return stats

    def _measure(
        self, indices: np.ndarray, orientation: Orientation, advance: Advance | None
    ) -> FeatureStats:
        flips = {
            "as_is": np.zeros(len(indices), bool),
            "both": np.repeat([False, True], len(indices)),
            "random": np.random.RandomState(0).rand(len(indices)) < 0.5,
        }[orientation]
        indices = np.resize(indices, len(flips))

        def pixels(start: int, count: int) -> np.ndarray:
            batch = self._images.pixels(indices[start : start + count])
            mirrored = flips[start : start + count, None, None, None]
            return np.where(mirrored, batch[:, :, ::-1], batch)

        return measure_samples(pixels, len(flips), self._network, advance)


def measure_samples(
    sample: SampleFakes, num: int, network: FeatureNetwork, advance: Advance | None = None
) -> FeatureStats:
    """Returns the statistics of `num` images, asked for in batches from the first to the last."""
    stats = FeatureStats(network.dim)
    for features in features_of_samples(sample, num, network):
        stats.update(features)
        if advance:
            advance(len(features))
    return stats


def features_of_samples(sample: SampleFakes, num: int, network: FeatureNetwork) -> Iterator[np.ndarray]:
    """Yields the features of `num` images batch by batch, [n, dim], from the first to the last."""
    for start in range(0, num, BATCH):
        yield network(sample(start, min(BATCH, num - start))).numpy()


def num_passes(indices: np.ndarray, orientation: Orientation) -> int:
    """Returns how many images the network sees for these indices."""
    return len(indices) * (2 if orientation == "both" else 1)


def choose(indices: np.ndarray, count: int) -> np.ndarray:
    """Returns at most `count` of the indices, by a fixed draw without replacement, sorted."""
    if len(indices) <= count:
        return np.asarray(indices)
    return np.sort(np.random.RandomState(0).choice(indices, count, replace=False))
