"""How many fakes lie too close to the training images: one share, taken again and again along a run.

The test is that of `memorisation`, by features alone and with the strict threshold, at a fraction of the cost
of the full verdict. Whoever looks often must be slow to cry wolf: a generator that copies nothing leaves the
band of what chance explains in one look of a thousand at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import scipy.stats

from stylegraft.data.split import group_keys
from stylegraft.evaluation.memorisation import (
    MIN_HOLDOUT,
    Neighbours,
    as_percent,
    compare_closeness,
    neighbours_by_features,
)
from stylegraft.evaluation.passes import RealFeatures
from stylegraft.evaluation.statistics import RealImages, SampleFakes, choose, features_of_samples
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.registry import FeatureNetwork

_FALSE_ALARMS = 0.001
_HOLDOUT_SHARE = 0.1
_MAX_FAKES = 200


class NamedImages(RealImages, Protocol):
    """What is needed of an image set."""

    @property
    def names(self) -> Sequence[str]:
        """File names, from which sources are told."""
        ...


@dataclass(frozen=True)
class CopierShare:
    """One look.

    Attributes:
        share: fakes that are closer to a training image than nine tenths of the held-out images are.
        expected_share: what it is on average, at most, if nothing is copied.
        band_high: more than this chance does not explain.
    """

    share: float
    expected_share: float
    band_high: float

    @property
    def outside_band(self) -> bool:
        """Whether the generator copies."""
        return self.share > self.band_high

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return (
            f"{as_percent(self.share)} of the fakes are closer to a training image than "
            f"{as_percent(1 - self.expected_share)} of the held-out images are, and chance explains up to "
            f"{as_percent(self.band_high)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values."""
        return asdict(self) | {"outside_band": self.outside_band}


class CopyWatch:
    """Looks at generators of one run, with everything but the fakes fixed.

    Real images are measured at the first look.

    Args:
        images: the set.
        train_indices: images that training sees.
        holdout_indices: images that it does not.
        network: takes the features.
        mirror: training mirrors images, so their mirror images can be copied too.
        cache: for features of real images; None: in the user's cache folder.
        max_real: a larger side is thinned out to this by a fixed draw.
        features_of: gives features of the first fakes, for who has seen them already, as
            `DistanceEvaluator` has; None: the network looks at them.
    """

    def __init__(
        self,
        images: NamedImages,
        train_indices: np.ndarray,
        holdout_indices: np.ndarray,
        network: FeatureNetwork,
        *,
        mirror: bool = False,
        cache: StatsCache | None = None,
        max_real: int = 1000,
        features_of: Callable[[SampleFakes, int], np.ndarray] | None = None,
    ) -> None:
        self._features_of = features_of
        self._real = RealFeatures(images, network, cache or StatsCache())
        self._network, self._mirror = network, mirror
        self._train = choose(train_indices, max_real)
        # One image of each source bears witness: variants of a picture are not independent.
        sources = group_keys([images.names[int(index)] for index in holdout_indices])
        witnesses = holdout_indices[np.unique(sources, return_index=True)[1]]
        self._witnesses = choose(np.sort(witnesses), max_real)
        self._known: tuple[np.ndarray, np.ndarray | None, Neighbours] | None = None

    @property
    def is_calibrated(self) -> bool:
        """Whether there are enough held-out images of different sources."""
        return len(self._witnesses) >= MIN_HOLDOUT

    def __call__(self, sample_fakes: SampleFakes, num_fakes: int) -> CopierShare | None:
        """Returns a look at up to 200 fakes, or None where nothing can be said.

        Args:
            sample_fakes: `sample_fakes(start, count)` gives uint8 [count, H, W, C], the same at each call.
            num_fakes: how many there are.
        """
        if not self.is_calibrated:
            return None
        num = min(num_fakes, _MAX_FAKES)
        if self._features_of is not None:
            return self.judge(self._features_of(sample_fakes, num))
        return self.judge(np.concatenate(list(features_of_samples(sample_fakes, num, self._network))))

    def judge(self, fakes: np.ndarray) -> CopierShare | None:
        """Returns a look at fakes by their features [n, dim], or None where nothing can be said."""
        if not self.is_calibrated:
            return None
        if self._known is None:
            train = self._real.measure(self._train)
            mirrored = self._real.measure(self._train, mirrored=True) if self._mirror else None
            holdout = self._real.measure(self._witnesses)
            self._known = train, mirrored, neighbours_by_features(holdout, train, mirrored)
        train, mirrored, holdout = self._known
        found = compare_closeness(neighbours_by_features(fakes, train, mirrored), holdout, _HOLDOUT_SHARE)
        # The number of fakes below the r-th of H held-out scores, by chance; see `memorisation`.
        num_fake, num_holdout = len(fakes), len(holdout.scores)
        rank = int(_HOLDOUT_SHARE * (num_holdout + 1))
        chance = scipy.stats.nhypergeom(num_fake + num_holdout, num_fake, rank)
        return CopierShare(found.share, found.expected_share, float(chance.isf(_FALSE_ALARMS)) / num_fake)
