"""The Frechet distance between two Gaussians fitted to features.

    d = |mu_a - mu_b|^2 + Tr(C_a) + Tr(C_b) - 2 Tr sqrt(C_a C_b)

Source: Dowson and Landau 1982, eq. 4; as a distance between image sets Heusel et al. 2017, eq. 6.

With roots C = R^T R the eigenvalues of C_a C_b are the squared singular values of R_a R_b^T, so the last
trace is the sum of those singular values. This is exact for covariances of any rank, needs no square root of
a matrix that is not symmetric, and costs only as much as the smaller sample demands.

The distance is biased upwards when samples are few (Binkowski et al. 2018): compare only numbers that were
measured with equal counts.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from stylegraft.errors import InputError
from stylegraft.metrics.feature_stats import FeatureStats


def stats_distance(a: FeatureStats, b: FeatureStats, ddof: int = 1) -> float:
    """Returns the Frechet distance between two sets of features.

    Args:
        a: statistics of at least two samples.
        b: likewise.
        ddof: covariances are divided by n - ddof: 1 as numpy.cov does (TensorFlow's and most PyTorch
            implementations of FID), 0 as NVIDIA's StyleGAN implementations do.

    Raises:
        InputError: a set of fewer than two samples.
    """
    for stats in (a, b):
        if stats.n < 2:
            raise InputError(
                f"Frechet distance: expected at least 2 images a side, got {stats.n}. Give more."
            )
    root_a, root_b = a.root / np.sqrt(a.n - ddof), b.root / np.sqrt(b.n - ddof)
    return _distance(a.mean, root_a, b.mean, root_b)


def frechet_distance(mu_a: np.ndarray, cov_a: np.ndarray, mu_b: np.ndarray, cov_b: np.ndarray) -> float:
    """Returns the Frechet distance between two Gaussians given by moments.

    `stats_distance` is exacter and, for few samples, faster; this is for moments that come from elsewhere.

    Args:
        mu_a: mean [dim].
        cov_a: covariance [dim, dim], symmetric, of any rank.
        mu_b: likewise.
        cov_b: likewise.
    """
    mu_a, mu_b = np.asarray(mu_a, np.float64), np.asarray(mu_b, np.float64)
    return _distance(mu_a, _symmetric_root(cov_a), mu_b, _symmetric_root(cov_b))


def _distance(mu_a: np.ndarray, root_a: np.ndarray, mu_b: np.ndarray, root_b: np.ndarray) -> float:
    singular_values = np.linalg.svd(root_a @ root_b.T, compute_uv=False)
    distance = ((mu_a - mu_b) ** 2).sum() + (root_a**2).sum() + (root_b**2).sum() - 2 * singular_values.sum()
    # Rounding can leave a distance of zero slightly negative.
    return max(float(distance), 0.0)


def _symmetric_root(cov: np.ndarray) -> np.ndarray:
    """Returns R [rank, dim] with R^T R = cov; eigenvalues that are only rounding errors are left out."""
    values, vectors = scipy.linalg.eigh(np.asarray(cov, np.float64))
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return np.sqrt(values[kept])[:, None] * vectors[:, kept].T
