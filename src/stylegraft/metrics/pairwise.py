"""Distances between all pairs of two sets of features, in tiles of bounded memory, by matrix products.

|a - b|^2 = |a|^2 + |b|^2 - 2 a.b
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

NumberType = Literal["double", "single", "half"]
"""What distances are computed in. "half" rounds to IEEE half precision wherever the original's half-precision
code does (features, squares, norms, squared distances, distances) and accumulates in single, as GPUs do."""

_TILE_ELEMENTS = 2**23  # 64 MiB in double precision.


class PointSet:
    """Features made ready for distances.

    Args:
        features: [N, dim] of any float type.
        number_type: what to compute in; both sides of a distance need the same.
    """

    def __init__(self, features: np.ndarray, number_type: NumberType = "double") -> None:
        self._half = number_type == "half"
        dtype = np.float64 if number_type == "double" else np.float32
        self.values = self._rounded(np.asarray(features, dtype))
        self.squared_norms = self._rounded(self._rounded(self.values**2).sum(axis=1))

    def __len__(self) -> int:
        return len(self.values)

    def distances_to(self, others: PointSet, rows: slice = slice(None)) -> np.ndarray:
        """Returns Euclidean distances [rows, len(others)] of some of these points to all others."""
        squared = self.values[rows] @ others.values.T
        squared *= -2
        squared += self.squared_norms[rows, None]
        squared += others.squared_norms
        # Rounding can leave the distance of a point to itself slightly negative.
        np.maximum(squared, 0, out=squared)
        return self._rounded(np.sqrt(self._rounded(squared)))

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.float16).astype(np.float32) if self._half else values


def tiles(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Yields slices of rows such that rows x columns stays within the memory of a tile."""
    step = max(1, _TILE_ELEMENTS // max(1, num_columns))
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def neighbour_radii(points: PointSet, k: int) -> np.ndarray:
    """Returns the distance of each point to its k-th nearest other point, [N].

    A point is its own nearest one and is left out by counting one further. Needs k + 1 points.
    """
    radii = np.empty(len(points), points.values.dtype)
    for rows in tiles(len(points), len(points)):
        radii[rows] = np.partition(points.distances_to(points, rows), k, axis=1)[:, k]
    return radii


def nearest(queries: PointSet, points: PointSet, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k nearest points of each query, nearest first.

    Returns:
        distances [Q, k] and indices into `points`, int64 [Q, k]. Needs k points.
    """
    distances = np.empty((len(queries), k), queries.values.dtype)
    indices = np.empty((len(queries), k), np.int64)
    for rows in tiles(len(queries), len(points)):
        tile = queries.distances_to(points, rows)
        chosen = np.argpartition(tile, k - 1, axis=1)[:, :k]
        found = np.take_along_axis(tile, chosen, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        distances[rows] = np.take_along_axis(found, order, axis=1)
        indices[rows] = np.take_along_axis(chosen, order, axis=1)
    return distances, indices
