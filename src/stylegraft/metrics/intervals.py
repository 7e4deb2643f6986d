"""Intervals of metrics from half-samples: how far a number would move with other images of the same count.

The bootstrap draws with replacement. Repeated images are harmless to a mean, but not here: they lie at
distance zero of each other (radii of precision, recall, density and coverage), and leave fewer distinct
images to span a covariance (the Frechet distance rises). Half-samples without replacement repeat nothing. For
a mean of n values with variance s^2, the mean over m of them drawn without replacement varies around the
full mean by (1/m - 1/n) s^2, which for m = n / 2 is s^2 / n: exactly the variance of the full mean. So the
standard deviation over half-samples estimates the standard error of the full statistic, up to the factor for
odd n below.

A statistic of half the images can lie elsewhere on average (few samples raise a Frechet distance). Only the
spread of the half-samples is used; the interval is centred on the statistic of all images. It therefore tells
how reproducible a number is at these counts. It does not remove the bias that comes with the counts; that is
what a floor at equal counts is for.

Source: the delete-d jackknife, Shao and Wu 1989; subsampling in general, Politis, Romano and Wolf 1999.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.stats

from stylegraft.errors import InputError

MIN_UNITS = 4


@dataclass(frozen=True)
class Interval:
    """A number and where it would lie if everything were measured again with as many other images.

    Attributes:
        value: of all images.
        low: lower end.
        high: upper end.
        level: how often such an interval is meant to hold the mean of such measurements, 0 to 1.
        standard_error: of the value.
        reach: half the length of the interval before a bound of the metric cuts it.
    """

    value: float
    low: float
    high: float
    level: float
    standard_error: float
    reach: float

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values."""
        return asdict(self)


class Units:
    """The images of one side, in units that are independent of each other.

    Args:
        num: how many images.
        groups: source of each image, [num] of anything comparable; images of one source go together,
            since crops or recolourings of one picture do not vary freely. None: each is its own.

    Raises:
        InputError: fewer than 4 units, which leave nothing to judge spread by.
    """

    def __init__(self, num: int, groups: np.ndarray | None = None) -> None:
        if groups is not None and len(groups) != num:
            raise ValueError(f"groups: expected {num}, got {len(groups)}.")
        self._unit_of = np.arange(num) if groups is None else np.unique(groups, return_inverse=True)[1]
        self.num = int(self._unit_of.max(initial=-1)) + 1
        if self.num < MIN_UNITS:
            raise InputError(
                f"interval: expected at least {MIN_UNITS} independent images a side, got {self.num}. "
                "Give more."
            )

    def half(self, random: np.random.RandomState) -> np.ndarray:
        """Returns the sorted indices of the images of half the units, drawn without replacement."""
        chosen = np.zeros(self.num, bool)
        chosen[random.permutation(self.num)[: self.num // 2]] = True
        return np.flatnonzero(chosen[self._unit_of])

    @property
    def spread_factor(self) -> float:
        """What turns the deviation over half-samples into a standard error; 1 for an even number of units."""
        taken = self.num // 2
        return float(np.sqrt(taken / (self.num - taken)))


def half_sample_pairs(
    real: Units, fake: Units, num: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields `num` pairs of half-samples, one a side, the same for equal seeds."""
    random = np.random.RandomState(seed)
    for _ in range(num):
        yield real.half(random), fake.half(random)


def interval_of_halves(
    value: float,
    halves: np.ndarray,
    real: Units,
    fake: Units,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Returns the interval around a value from the statistics of half-samples.

    Args:
        value: the statistic of all images.
        halves: the same statistic of half-samples, [num].
        real: units that were halved.
        fake: likewise.
        level: of the interval.
        bounds: least and largest possible value of the statistic.
    """
    # The smaller side has the larger share of the spread, and the factor that differs from 1 more.
    smaller = min(real, fake, key=lambda side: side.num)
    error = float(np.std(halves, ddof=1)) * smaller.spread_factor
    # Few units leave the spread itself uncertain, which Student's t widens the interval for.
    reach = error * float(scipy.stats.t.ppf((1 + level) / 2, df=smaller.num - 1))
    low, high = max(value - reach, bounds[0]), min(value + reach, bounds[1])
    return Interval(value, low, high, level, error, reach)


def half_sample_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    value: float,
    real: Units,
    fake: Units,
    *,
    num: int = 100,
    seed: int = 0,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Returns an interval around `value`, given the statistic as a function of chosen indices.

    Args:
        statistic: `statistic(real_indices, fake_indices)`.
        value: the statistic of all images.
        real: units of the real side.
        fake: units of the generated side.
        num: half-samples; 100 give the standard error to about 7 %.
        seed: of the draws.
        level: of the interval.
        bounds: least and largest possible value.
    """
    halves = [statistic(*pair) for pair in half_sample_pairs(real, fake, num, seed)]
    return interval_of_halves(value, np.array(halves), real, fake, level=level, bounds=bounds)
