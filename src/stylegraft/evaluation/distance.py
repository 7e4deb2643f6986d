"""The distance on the curve of a run: fakes against real images that training never sees."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stylegraft.errors import InputError
from stylegraft.evaluation.statistics import (
    BATCH,
    Advance,
    Orientation,
    RealImages,
    RealStatistics,
    SampleFakes,
    choose,
    features_of_samples,
)
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.registry import FeatureNetwork, feature_network
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import stats_distance
from stylegraft.metrics.settings import FD_EFFLITE0

_NUM_KEPT = 200


@dataclass(frozen=True)
class Floor:
    """What a perfect generator would score: real training images in place of the fakes.

    Attributes:
        value: their distance to the held-out images.
        num_train: how many took the fakes' place. With fewer of them than fakes the floor lies a little high.
    """

    value: float
    num_train: int


@dataclass(frozen=True)
class DistanceResult:
    """One measured distance. Only distances with equal counts may be compared: few samples raise it.

    Attributes:
        name: of the setting.
        value: the distance; lower is nearer.
        num_real: real images it was measured against, not counting mirror images.
        num_fake: generated images.
        held_out: whether training never saw the real images.
        precision: of the feature network, "fp32" or "bf16"; distances differ by less than 0.5 % between them.
        floor: what to expect at best with these counts, or None without held-out images.
        seconds: for sampling, features and the distance.
        seconds_per_fake: for sampling and features of one image.
    """

    name: str
    value: float
    num_real: int
    num_fake: int
    held_out: bool
    precision: str
    floor: Floor | None
    seconds: float
    seconds_per_fake: float

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values."""
        return asdict(self)


class DistanceEvaluator:
    """Measures generators against one set of images, over and over, with everything else fixed.

    Fakes are compared with the held-out images, or with the training images where none are held out. The
    real side is measured at first use and cached on disk.

    Args:
        images: the set.
        train_indices: images that training sees.
        holdout_indices: images that it does not; may be empty.
        mirror: training mirrors images, so the real statistics include each image's mirror image.
        network: takes the features; None: the one that the setting names.
        cache: for real statistics; None: in the user's cache folder.
        max_real: a larger real side is thinned out to this by a fixed draw, to bound the first use.
    """

    def __init__(
        self,
        images: RealImages,
        train_indices: np.ndarray,
        holdout_indices: np.ndarray,
        *,
        mirror: bool = False,
        network: FeatureNetwork | None = None,
        cache: StatsCache | None = None,
        max_real: int = 2000,
    ) -> None:
        self._images = images
        self._train = train_indices
        self._holdout = choose(holdout_indices, max_real)
        self._reference = self._holdout if len(self._holdout) else choose(train_indices, max_real)
        self._mirror = mirror
        self._network = network or feature_network(FD_EFFLITE0.feature_network)
        self._real = RealStatistics(images, self._network, cache or StatsCache())
        self._last: tuple[SampleFakes, np.ndarray] | None = None

    def __call__(self, sample_fakes: SampleFakes, num_fakes: int) -> DistanceResult:
        """Returns the distance of `num_fakes` fakes to the real images.

        Args:
            sample_fakes: `sample_fakes(start, count)` gives uint8 [count, H, W, C], the same at each call.
            num_fakes: at least 2; equal for all distances that will be compared.
        """
        check_num_fakes(num_fakes)
        orientation: Orientation = "both" if self._mirror else "as_is"
        reference = self._real.measure(self._reference, orientation)
        floor = None
        if len(self._holdout):
            floor = measure_floor(self._real, self._train, self._holdout, num_fakes, mirror=self._mirror)
        start = time.perf_counter()
        fakes, kept = FeatureStats(self._network.dim), []
        for features in features_of_samples(sample_fakes, num_fakes, self._network):
            fakes.update(features)
            if sum(map(len, kept)) < _NUM_KEPT:
                kept.append(features)
        self._last = sample_fakes, np.concatenate(kept)
        sampled = time.perf_counter()
        value = stats_distance(fakes, reference, FD_EFFLITE0.ddof)
        return DistanceResult(
            name=FD_EFFLITE0.name,
            value=value,
            num_real=len(self._reference),
            num_fake=num_fakes,
            held_out=bool(len(self._holdout)),
            precision=self._network.precision,
            floor=floor,
            seconds=time.perf_counter() - start,
            seconds_per_fake=(sampled - start) / num_fakes,
        )

    def features_of(self, sample_fakes: SampleFakes, num: int) -> np.ndarray:
        """Returns the features of the first fakes, [num, dim].

        Those of the distance just measured, if that was of this very sampler: a second look is then free.

        Args:
            sample_fakes: as for a distance.
            num: how many; up to 200 are kept.
        """
        if self._last is not None and self._last[0] is sample_fakes and num <= len(self._last[1]):
            return self._last[1][:num]
        return np.concatenate(list(features_of_samples(sample_fakes, num, self._network)))

    def seconds_per_image(self) -> float:
        """Returns the measured time to take the features of one image, for planning how often to measure."""
        batch = self._images.pixels(np.resize(self._reference, BATCH))
        self._network(batch)  # The first pass sets up kernels.
        start = time.perf_counter()
        self._network(batch)
        return (time.perf_counter() - start) / BATCH


def check_num_fakes(num_fakes: int) -> None:
    """Refuses counts that have no covariance.

    Raises:
        InputError: fewer than 2.
    """
    if num_fakes < 2:
        raise InputError(
            f"{FD_EFFLITE0.name}: expected at least 2 generated images, got {num_fakes}. Ask for more."
        )


def measure_floor(
    real: RealStatistics,
    train_indices: np.ndarray,
    holdout_indices: np.ndarray,
    num_fakes: int,
    *,
    mirror: bool,
    advance: Advance | None = None,
) -> Floor:
    """Returns the distance that `num_fakes` real images have to the held-out ones.

    With `mirror` the training images stand in for fakes of a generator that shows either side, one side each:
    both sides of one image would be no two independent samples.
    """
    stand_ins = choose(train_indices, num_fakes)
    stats = real.measure(stand_ins, "random" if mirror else "as_is", advance)
    holdout = real.measure(holdout_indices, "both" if mirror else "as_is", advance)
    return Floor(stats_distance(stats, holdout, FD_EFFLITE0.ddof), len(stand_ins))
