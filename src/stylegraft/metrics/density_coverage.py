"""Density and coverage: precision and recall that outliers do not decide.

Both use balls around real images only, each reaching to its k-th nearest other real image. Density counts in
how many balls a fake lies, on average and divided by k (about 1 for a perfect generator, and it can be more);
coverage is the share of real images with a fake in their ball (1 - 2^-k at best for equally many fakes).

Source: Naeem et al. 2020, eq. 5 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylegraft.metrics.checks import check_features
from stylegraft.metrics.pairwise import PointSet, neighbour_radii, tiles


@dataclass(frozen=True)
class DensityCoverage:
    """Density, 0 to M / k, and coverage, 0 to 1."""

    density: float
    coverage: float


def density_coverage(real: np.ndarray, fake: np.ndarray, *, k: int = 5) -> DensityCoverage:
    """Returns density and coverage, in double precision.

    Args:
        real: features [N, dim].
        fake: features [M, dim]. Coverage rises with M: compare numbers of equal counts only.
        k: which neighbour gives the radius of a ball.

    Raises:
        InputError: k or fewer real images, or no fake.
    """
    check_features("density and coverage", at_least=k + 1, real=real)
    check_features("density and coverage", at_least=1, real=real, fake=fake)
    reals, fakes = PointSet(real), PointSet(fake)
    radii = neighbour_radii(reals, k)
    num_balls, covered = 0, np.zeros(len(reals), bool)
    for rows in tiles(len(fakes), len(reals)):
        inside = fakes.distances_to(reals, rows) < radii
        num_balls += int(inside.sum())
        covered |= inside.any(axis=0)
    return DensityCoverage(num_balls / (k * len(fakes)), float(covered.mean()))
