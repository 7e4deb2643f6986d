"""One pass of a feature network over real images (kept on disk) and over fakes, for all metrics to share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylegraft.errors import InputError
from stylegraft.evaluation.pixel_neighbours import SEEN_PX, resized
from stylegraft.evaluation.statistics import BATCH, Advance, RealImages, SampleFakes
from stylegraft.evaluation.stats_cache import StatsCache, statistics_key
from stylegraft.features.registry import FeatureNetwork


class RealFeatures:
    """Takes features of parts of an image set, each part once and for all.

    Args:
        images: the set.
        network: takes the features.
        cache: where they stay between processes.
    """

    def __init__(self, images: RealImages, network: FeatureNetwork, cache: StatsCache) -> None:
        self._images = images
        self._network = network
        self._cache = cache

    def measure(
        self, indices: np.ndarray, *, mirrored: bool = False, advance: Advance | None = None
    ) -> np.ndarray:
        """Returns the features of some images or of their mirror images, float32 [n, dim]."""
        key = statistics_key(
            content_hash=self._images.content_hash,
            indices=indices,
            orientation="mirrored" if mirrored else "as_is",
            network=self._network.name,
            network_sha256=self._network.sha256,
            precision=self._network.precision,
            kind="features",
        )
        features = self._cache.load_features(key, len(indices), self._network.dim)
        if features is None:
            features = self._measure(indices, mirrored, advance)
            self._cache.save_features(key, features)
        elif advance:
            advance(len(indices))
        return features

    def _measure(self, indices: np.ndarray, mirrored: bool, advance: Advance | None) -> np.ndarray:
        features = np.empty((len(indices), self._network.dim), np.float32)
        for start in range(0, len(indices), BATCH):
            batch = self._images.pixels(indices[start : start + BATCH])
            if mirrored:
                batch = batch[:, :, ::-1]
            features[start : start + len(batch)] = self._network(batch).numpy()
            if advance:
                advance(len(batch))
        return features


@dataclass(frozen=True, eq=False)
class Fakes:
    """What is kept of the generated images.

    Attributes:
        features: float32 [n, dim].
        pixels: small copies, uint8 [n, 64, 64, C], for `memorisation.neighbours_by_pixels`.
    """

    features: np.ndarray
    pixels: np.ndarray


def measure_fakes(
    sample: SampleFakes, num: int, network: FeatureNetwork, advance: Advance | None = None
) -> Fakes:
    """Generates images once and returns what the metrics need of them.

    Args:
        sample: `sample(start, count)` gives uint8 [count, H, W, C].
        num: how many, at least 1.
        network: takes the features.
        advance: called with the number of images done.
    """
    features = np.empty((num, network.dim), np.float32)
    pixels = []
    for start in range(0, num, BATCH):
        batch = sample(start, min(BATCH, num - start))
        features[start : start + len(batch)] = network(batch).numpy()
        pixels.append(resized(batch, SEEN_PX))
        if advance:
            advance(len(batch))
    return Fakes(features, np.concatenate(pixels))


def small_pixels(images: RealImages, indices: np.ndarray) -> np.ndarray:
    """Returns small copies of real images, uint8 [n, 64, 64, C], as `Fakes.pixels` are."""
    parts = [
        resized(images.pixels(indices[start : start + BATCH]), SEEN_PX)
        for start in range(0, len(indices), BATCH)
    ]
    return np.concatenate(parts)


def check_same_shape(fakes: np.ndarray, reals: np.ndarray) -> None:
    """Refuses to compare images of another size or with other channels than the generated ones.

    Args:
        fakes: some, [n, H, W, C].
        reals: some, [n, H, W, C].

    Raises:
        InputError: they differ.
    """
    made, given = ("x".join(map(str, images.shape[1:])) for images in (fakes, reals))
    if made != given:
        raise InputError(
            f"real images: expected height x width x channels {made}, as the generator makes them, got "
            f"{given}. Leave --size and --channels out, or give {_flags(fakes)}."
        )


def _flags(images: np.ndarray) -> str:
    height, width, channels = images.shape[1:]
    return f"--size {height}x{width} --channels {channels}"
