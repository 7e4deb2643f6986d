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
from stylegraft.metrics.checks import check_features
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.intervals import Interval, Units, half_sample_interval


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


def frechet_interval(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    ddof: int = 1,
    real_groups: np.ndarray | None = None,
    num: int = 100,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Returns the distance of features with its interval from half-samples (see `intervals`).

    The interval is about distances at these counts. It does not reach down to what infinitely many images
    would give. No extrapolation to them is offered: it rests on the bias falling as 1 / N, which holds only
    once N is well above the length of a feature vector. (Two halves of one real set, 1,280 features: lines
    through 300 to 900 images a side end at 4.8 where the truth is 0, more than a third of the value at 900.)

    Args:
        real: features [N, dim].
        fake: features [M, dim].
        ddof: as for `stats_distance`.
        real_groups: source of each real image, if some share one; see `intervals.Units`.
        num: half-samples; each costs a distance of half the images.
        seed: of the draws.
        level: of the interval.
    """
    check_features("Frechet distance", at_least=2, real=real, fake=fake)
    x, y = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    value = stats_distance(FeatureStats.from_features(x), FeatureStats.from_features(y), ddof)
    return half_sample_interval(
        lambda some_reals, some_fakes: _quick_distance(x[some_reals], y[some_fakes], ddof),
        value,
        Units(len(x), real_groups),
        Units(len(y)),
        num=num,
        seed=seed,
        level=level,
        bounds=(0.0, np.inf),
    )


def _quick_distance(x: np.ndarray, y: np.ndarray, ddof: int) -> float:
    """Returns the distance of features to about 1e-6, which is plenty for a spread, several times as fast.

    Eigenvalues of the squared product take the place of its singular values. Rounding moves small ones, each
    by at most 1e-8 of the largest.
    """
    mu_x, mu_y = x.mean(axis=0), y.mean(axis=0)
    x = (x - mu_x) / np.sqrt(len(x) - ddof)
    y = (y - mu_y) / np.sqrt(len(y) - ddof)
    traces = (x**2).sum() + (y**2).sum()
    shorter, longer = sorted((x, y), key=len)
    if len(shorter) <= x.shape[1]:
        product = shorter @ longer.T
        squared = product @ product.T
    else:
        root = _symmetric_root(shorter.T @ shorter)
        squared = root @ (longer.T @ longer) @ root.T
    values = np.maximum(scipy.linalg.eigvalsh(squared), 0)
    return float(((mu_x - mu_y) ** 2).sum() + traces - 2 * np.sqrt(values).sum())


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
