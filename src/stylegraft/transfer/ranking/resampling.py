"""A number of each source, and how far it would move with other images: the same halves for all sources.

Sources are compared on the same images, so what one half of the images does to a number it does to those of
other sources too. Differences are therefore surer than the intervals of the numbers suggest, and it is
differences that decide an order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylegraft.metrics.intervals import MIN_UNITS, Interval, Units, half_sample_pairs, interval_of_halves

NUM_HALVES = 100  # gives a standard error to about 7 %

Statistic = Callable[[np.ndarray, np.ndarray], float]
"""`statistic(target_indices, source_indices)`: the number, from some of the images of either side."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """A number of one source.

    Attributes:
        interval: its value, and where it would lie with other images.
        errors: what half-samples made of it, less their mean, scaled to the error of the whole: [NUM_HALVES].
    """

    interval: Interval
    errors: np.ndarray

    @property
    def value(self) -> float:
        """The number from all images."""
        return self.interval.value

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values, from which `from_dict` makes it anew."""
        return {"interval": self.interval.to_dict(), "errors": self.errors.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Resampled:
        """Rebuilds it from `to_dict`."""
        return cls(Interval(**values["interval"]), np.array(values["errors"]))


def units_of(num: int, groups: np.ndarray | None = None) -> Units:
    """Returns the independent units of `num` images: their source files, or the images if those are too few.

    Args:
        num: how many images, at least 4.
        groups: the source file of each, [num], or None.
    """
    if groups is not None and len(np.unique(groups)) < MIN_UNITS:
        groups = None
    return Units(num, groups)


def resample(
    statistic: Statistic,
    value: float,
    target: Units,
    source: Units,
    *,
    seed: int,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Resampled:
    """Returns a number with its errors; equal `seed` and units draw the same halves.

    Args:
        statistic: the number of some images.
        value: the number of all images.
        target: images of the target.
        source: samples of the source, or of a network trained from it.
        seed: of the draws.
        bounds: least and largest possible value.
    """
    halves = np.array([statistic(*pair) for pair in half_sample_pairs(target, source, NUM_HALVES, seed)])
    factor = min(target, source, key=lambda side: side.num).spread_factor  # as `interval_of_halves` has it
    interval = interval_of_halves(value, halves, target, source, bounds=bounds)
    return Resampled(interval, (halves - halves.mean()) * factor)


def differ(a: Resampled, b: Resampled) -> bool:
    """Returns whether two sources differ by more than the choice of images explains (95 %)."""
    widening = a.interval.reach / a.interval.standard_error if a.interval.standard_error else 0.0
    return abs(a.value - b.value) > widening * float(np.std(a.errors - b.errors, ddof=1))


def shares_first(numbers: Sequence[Resampled], *, higher_is_better: bool) -> list[float]:
    """Returns how often each source would come first with other images, 0 to 1; they add up to 1."""
    sign = 1.0 if higher_is_better else -1.0
    drawn = np.array([sign * (number.value + number.errors) for number in numbers])
    return (np.bincount(drawn.argmax(axis=0), minlength=len(numbers)) / drawn.shape[1]).tolist()
