"""Can these numbers tell two models apart?"""

from __future__ import annotations

import math

from stylegraft.metrics.intervals import Interval

MIN_RELATIVE_RESOLUTION = 0.1
"""People want to rank models that differ by a tenth; counts too small for that are worth a warning."""


def smallest_difference(interval: Interval) -> float:
    """Returns how far apart two models must be measured before the order of the two means anything.

    Both measurements have an error like this one's, and errors of independent measurements add in squares.
    Sharing the real images makes the errors alike and the true resolution a little finer.
    """
    return math.sqrt(2) * interval.reach


def differ(a: Interval, b: Interval) -> bool:
    """Returns whether two models, measured with equal counts, differ by more than their errors explain."""
    return abs(a.value - b.value) > math.hypot(a.reach, b.reach)


def too_small_to_rank(interval: Interval, metric: str) -> str | None:
    """Returns a warning if models that differ by 10 % could not be told apart, else None.

    Args:
        interval: of the metric.
        metric: how the message calls it.
    """
    difference = smallest_difference(interval)
    if difference <= MIN_RELATIVE_RESOLUTION * abs(interval.value):
        return None
    return (
        f"{metric}: too few images to rank models that are close. Measured {interval.value:.4g}; at these "
        f"counts only differences above {difference:.2g} mean something. Measure more images, or trust large "
        "gaps only."
    )
