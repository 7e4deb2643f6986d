"""Improved precision and recall: the share of each side that lies inside the other side's manifold.

The manifold of a set is the union of balls around its points, each reaching to the k-th nearest other point.
Precision is the share of fakes inside the real manifold (quality), recall the share of real images inside the
fake one (diversity).

Source: Kynkaanniemi et al. 2019, eq. 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylegraft.metrics.checks import check_features
from stylegraft.metrics.pairwise import NumberType, PointSet, neighbour_radii, tiles


@dataclass(frozen=True)
class PrecisionRecall:
    """Both shares, 0 to 1; higher is better."""

    precision: float
    recall: float


def precision_recall(
    real: np.ndarray, fake: np.ndarray, *, k: int = 3, number_type: NumberType = "double"
) -> PrecisionRecall:
    """Returns precision and recall.

    Args:
        real: features [N, dim]. Both depend on the counts: compare numbers of equal ones only.
        fake: features [M, dim].
        k: which neighbour gives the radius of a ball.
        number_type: "half" is what NVIDIA's code computes in; "double" has no ties.

    Raises:
        InputError: k or fewer images a side.
    """
    check_features("precision and recall", at_least=k + 1, real=real, fake=fake)
    reals, fakes = PointSet(real, number_type), PointSet(fake, number_type)
    return PrecisionRecall(_share_inside(fakes, reals, k), _share_inside(reals, fakes, k))


def _share_inside(probes: PointSet, manifold: PointSet, k: int) -> float:
    radii = neighbour_radii(manifold, k)
    inside = 0
    for rows in tiles(len(probes), len(manifold)):
        inside += int((probes.distances_to(manifold, rows) <= radii).any(axis=1).sum())
    return inside / len(probes)
