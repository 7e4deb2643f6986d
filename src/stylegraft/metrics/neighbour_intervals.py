"""Intervals of precision, recall, density and coverage, from one set of distances.

Half-samples need the same distances again and again, so all of them are kept: 4 (N + M)^2 bytes in all.
"""

from __future__ import annotations

import numpy as np

from stylegraft.metrics.checks import check_features
from stylegraft.metrics.intervals import Interval, Units, half_sample_pairs, interval_of_halves
from stylegraft.metrics.pairwise import PointSet

NAMES = ("precision", "recall", "density", "coverage")


def neighbour_intervals(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    precision_k: int = 3,
    coverage_k: int = 5,
    real_groups: np.ndarray | None = None,
    num: int = 100,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Returns the intervals by the names "precision", "recall", "density" and "coverage".

    Args:
        real: features [N, dim]; thin out what is more than a few thousand.
        fake: features [M, dim]; likewise.
        precision_k: neighbour of precision and recall.
        coverage_k: neighbour of density and coverage.
        real_groups: source of each real image, if some share one; see `intervals.Units`.
        num: half-samples.
        seed: of the draws.
        level: of the intervals.

    Raises:
        InputError: too few images for k neighbours in each half.
    """
    k = max(precision_k, coverage_k)
    check_features("intervals of precision and coverage", at_least=2 * k + 2, real=real, fake=fake)
    reals, fakes = PointSet(real, "single"), PointSet(fake, "single")
    real_real, fake_fake = reals.distances_to(reals), fakes.distances_to(fakes)
    fake_real = fakes.distances_to(reals)

    def all_four(some_reals: np.ndarray, some_fakes: np.ndarray) -> tuple[float, float, float, float]:
        within_real = real_real[np.ix_(some_reals, some_reals)]
        within_fake = fake_fake[np.ix_(some_fakes, some_fakes)]
        between = fake_real[np.ix_(some_fakes, some_reals)]
        # A group-wise half can hold fewer images than asked for neighbours; its widest ball then serves.
        kth = min(k, len(some_reals) - 1)
        near = np.partition(within_real, sorted({min(precision_k, kth), min(coverage_k, kth)}), axis=1)
        inside = between < near[:, min(coverage_k, kth)]
        fake_radii = np.partition(within_fake, precision_k, axis=1)[:, precision_k]
        return (
            float((between <= near[:, min(precision_k, kth)]).any(axis=1).mean()),
            float((between <= fake_radii[:, None]).any(axis=0).mean()),
            float(inside.sum() / (coverage_k * len(some_fakes))),
            float(inside.any(axis=0).mean()),
        )

    real_units, fake_units = Units(len(real), real_groups), Units(len(fake))
    values = all_four(np.arange(len(real)), np.arange(len(fake)))
    halves = np.array([all_four(*pair) for pair in half_sample_pairs(real_units, fake_units, num, seed)])
    return {
        name: interval_of_halves(
            value,
            column,
            real_units,
            fake_units,
            level=level,
            bounds=(0.0, np.inf if name == "density" else 1.0),
        )
        for name, value, column in zip(NAMES, values, halves.T)
    }
