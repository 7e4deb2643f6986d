"""Does a generator repeat itself? Fakes beside fakes, judged by how near real images lie to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stylegraft.metrics.checks import check_features
from stylegraft.metrics.pairwise import PointSet, neighbour_radii, tiles

_EXPECTED_SHARE = 0.05


@dataclass(frozen=True)
class Duplicates:
    """How often the generator repeats itself.

    Attributes:
        share: fakes whose nearest other fake is nearer than `threshold`.
        expected_share: the same among as many real images, by construction of the threshold at most 0.05.
        num_compared: images a side; nearest distances shrink with the count, so it is the same for both.
        num_distinct: fakes that are left when each chain of repetitions counts once.
        threshold: distance between features.
    """

    share: float
    expected_share: float
    num_compared: int
    num_distinct: int
    threshold: float


def find_duplicates(fake: np.ndarray, real: np.ndarray, *, seed: int = 0) -> Duplicates:
    """Returns how often fakes repeat each other.

    Args:
        fake: features [M, dim]; at least 20. The first ones are taken if there are more than real images.
        real: features [N, dim] of training images; at least 20.
        seed: of the draw of real images.
    """
    check_features("duplicates", at_least=20, real=real, fake=fake)
    num = min(len(real), len(fake))
    chosen = np.random.RandomState(seed).permutation(len(real))[:num]
    distances = np.sort(neighbour_radii(PointSet(real[chosen], "single"), 1))
    threshold = distances[int(_EXPECTED_SHARE * num)]
    fakes = PointSet(fake[:num], "single")
    nearest = neighbour_radii(fakes, 1)
    return Duplicates(
        share=float((nearest < threshold).mean()),
        expected_share=float((distances < threshold).mean()),
        num_compared=num,
        num_distinct=_num_components(fakes, float(threshold)),
        threshold=float(threshold),
    )


def _num_components(points: PointSet, threshold: float) -> int:
    firsts, seconds = [], []
    for rows in tiles(len(points), len(points)):
        first, second = np.nonzero(points.distances_to(points, rows) < threshold)
        firsts.append(first + rows.start)
        seconds.append(second)
    ends = np.concatenate(firsts), np.concatenate(seconds)
    links = coo_array((np.ones(len(ends[0]), bool), ends), shape=(len(points), len(points)))
    return int(connected_components(links, directed=False)[0])
