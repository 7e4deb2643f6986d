"""Mean and covariance of features, gathered batch by batch without losing digits."""

from __future__ import annotations

import numpy as np

from stylegraft.errors import RunError

_CHUNK_ROWS = 1024


class FeatureStats:
    """Running count, mean and scatter of feature vectors, in float64.

    The scatter (the sum of outer products of deviations from the mean) is kept as a root R with
    R^T R = scatter, never as the matrix itself. Squaring would lose half of the digits of small singular
    values, and those decide a Frechet distance when there are fewer samples than features; a root with
    few rows also makes that case fast. R holds the deviations themselves until it has more than
    2 * dim rows; then a QR decomposition shortens it to dim rows.

    Source: pairwise update of mean and scatter, Chan, Golub, LeVeque 1979; the QR of stacked roots is TSQR.

    Args:
        dim: length of a feature vector.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.n = 0
        self.mean = np.zeros(dim)
        self._rows: list[np.ndarray] = []
        self._num_rows = 0

    @classmethod
    def from_features(cls, features: np.ndarray) -> FeatureStats:
        """Returns the statistics of features [N, dim]."""
        stats = cls(features.shape[1])
        stats.update(features)
        return stats

    @classmethod
    def from_root(cls, n: int, mean: np.ndarray, root: np.ndarray) -> FeatureStats:
        """Rebuilds statistics from `n`, `mean` and `root`, as a cache stores them."""
        stats = cls(len(mean))
        stats.n, stats.mean = n, np.asarray(mean, np.float64)
        stats._add_rows(np.asarray(root, np.float64))
        return stats

    @property
    def root(self) -> np.ndarray:
        """A matrix R, float64 [rows, dim] with R^T R = scatter; at most dim rows."""
        if len(self._rows) != 1:
            self._rows = [np.concatenate(self._rows) if self._rows else np.zeros((0, self.dim))]
        if self._num_rows > self.dim:
            self._shorten()
        return self._rows[0]

    def update(self, features: np.ndarray) -> None:
        """Adds a batch of features [n, dim] of any float type.

        Raises:
            RunError: features that are not finite; the images they came from are not either.
        """
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(f"features: expected [n, {self.dim}], got {list(features.shape)}.")
        if not np.isfinite(features).all():
            raise RunError(
                "features of the images: expected finite numbers, got NaN or infinity. "
                "The generator has diverged; use an earlier checkpoint."
            )
        for start in range(0, len(features), _CHUNK_ROWS):
            self._update_chunk(features[start : start + _CHUNK_ROWS].astype(np.float64))

    def covariance(self, ddof: int = 1) -> np.ndarray:
        """Returns scatter / (n - ddof), float64 [dim, dim]; ddof 1 is unbiased, ddof 0 divides by n."""
        root = self.root
        return root.T @ root / (self.n - ddof)

    def _update_chunk(self, chunk: np.ndarray) -> None:
        n, mean = len(chunk), chunk.mean(axis=0)
        shift = mean - self.mean
        total = self.n + n
        if self.n:
            # The two groups spread around different means; one more deviation makes up for it.
            self._add_rows(np.sqrt(self.n * n / total) * shift[None])
        self._add_rows(chunk - mean)
        self.mean = self.mean + shift * (n / total)
        self.n = total

    def _add_rows(self, rows: np.ndarray) -> None:
        self._rows.append(rows)
        self._num_rows += len(rows)
        if self._num_rows > max(2 * self.dim, _CHUNK_ROWS):
            self._shorten()

    def _shorten(self) -> None:
        stacked = np.concatenate(self._rows)
        self._rows = [np.asarray(np.linalg.qr(stacked, mode="r"))]
        self._num_rows = len(self._rows[0])
