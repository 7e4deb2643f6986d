"""Which fakes look most and least like real images, one by one.

    realism(f) = max over real images r of  radius_k(r) / |f - r|

At 1 and above a fake lies within reach of a real image's k-th neighbour, that is inside the manifold by which
precision judges. Real images in sparse regions, whose radius is above the median, have no say.

Source: Kynkaanniemi et al. 2019, section 5.
"""

from __future__ import annotations

import numpy as np

from stylegraft.metrics.pairwise import PointSet, neighbour_radii, tiles

_K = 3
_SMALLEST = 1e-9  # A copy is at distance zero, and so are neighbours that are equal.


def realism(fake: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Returns the realism of each fake, [n]; higher is more like a real image, and a copy is highest of all.

    Args:
        fake: features [n, dim].
        real: features [N, dim]; more than 3.
    """
    points = PointSet(real, "single")
    radii = neighbour_radii(points, _K)
    trusted = radii <= np.median(radii)
    points, radii = PointSet(real[trusted], "single"), np.maximum(radii[trusted], _SMALLEST)
    fakes = PointSet(fake, "single")
    reach = np.empty(len(fake))
    for rows in tiles(len(fakes), len(points)):
        distances = fakes.distances_to(points, rows)
        reach[rows] = (distances / radii).min(axis=1)
    return 1 / np.maximum(reach, _SMALLEST)
