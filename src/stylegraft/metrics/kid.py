"""Kernel inception distance: the squared maximum mean discrepancy with a cubic kernel.

    k(x, y) = (x.y / dim + 1)^3
    MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)

The estimate is unbiased: its mean does not depend on the number of images, and it can be negative.

Source: Binkowski et al. 2018, section 3 and eq. 4; the estimate Gretton et al. 2012, eq. 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylegraft.metrics.checks import check_features
from stylegraft.metrics.intervals import Interval, Units, half_sample_pairs, interval_of_halves
from stylegraft.metrics.pairwise import tiles

_MAX_BLOCKS = 200


@dataclass(frozen=True)
class SubsetKid:
    """A distance as the community reports it.

    Attributes:
        mean: over subsets.
        std: over subsets (dividing by their number). It describes subsets, and is no error of the mean, for
            they share images: see `kid_interval`.
    """

    mean: float
    std: float


def kid(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the unbiased distance of all images [N, dim] and [M, dim], in double precision."""
    check_features("KID", at_least=2, real=real, fake=fake)
    return _mmd2(_Sums.of(real, fake, np.zeros(len(real), np.int64), np.zeros(len(fake), np.int64)))


def subset_kid(
    real: np.ndarray, fake: np.ndarray, *, num_subsets: int = 100, max_subset: int = 1000, seed: int = 0
) -> SubsetKid:
    """Returns the mean over random subsets of both sides.

    Each subset draws its fakes and then its real images by `RandomState(seed).choice` without replacement,
    which is the order and the generator of NVIDIA's code after `numpy.random.seed(seed)`.

    Args:
        real: features [N, dim].
        fake: features [M, dim].
        num_subsets: how many.
        max_subset: images a side in each; fewer if there are fewer.
        seed: of the draws.
    """
    check_features("KID", at_least=2, real=real, fake=fake)
    size = min(len(real), len(fake), max_subset)
    random = np.random.RandomState(seed)
    values = []
    for _ in range(num_subsets):
        some_fakes = fake[random.choice(len(fake), size, replace=False)]
        some_reals = real[random.choice(len(real), size, replace=False)]
        values.append(kid(some_reals, some_fakes))
    return SubsetKid(float(np.mean(values)), float(np.std(values)))


def kid_interval(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    real_groups: np.ndarray | None = None,
    num: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Returns the unbiased distance of all images with its interval.

    Images (or sources) are dealt into up to 200 blocks a side, and half-samples take half of the blocks. Sums
    of the kernel over pairs of blocks are all that is kept, so that the cost hardly depends on `num`.

    Args:
        real: features [N, dim].
        fake: features [M, dim].
        real_groups: source of each real image, if some share one; see `intervals.Units`.
        num: half-samples.
        seed: of blocks and half-samples.
        level: of the interval.
    """
    check_features("KID", at_least=2, real=real, fake=fake)
    random = np.random.RandomState(seed)
    real_blocks = _blocks(len(real), real_groups, random)
    fake_blocks = _blocks(len(fake), None, random)
    sums = _Sums.of(real, fake, real_blocks, fake_blocks)
    real_units, fake_units = Units(len(sums.num_real)), Units(len(sums.num_fake))
    pairs = half_sample_pairs(real_units, fake_units, num, seed)
    halves = np.array([_mmd2(sums.part(a, b)) for a, b in pairs])
    return interval_of_halves(_mmd2(sums), halves, real_units, fake_units, level=level)


@dataclass(frozen=True)
class _Sums:
    """Sums of the kernel over pairs of blocks (without pairs of an image and itself) and sizes of blocks."""

    real_real: np.ndarray
    fake_fake: np.ndarray
    real_fake: np.ndarray
    num_real: np.ndarray
    num_fake: np.ndarray

    @classmethod
    def of(
        cls, real: np.ndarray, fake: np.ndarray, real_blocks: np.ndarray, fake_blocks: np.ndarray
    ) -> _Sums:
        x, y = np.asarray(real, np.float64), np.asarray(fake, np.float64)
        u, v = (np.eye(blocks.max() + 1)[blocks] for blocks in (real_blocks, fake_blocks))
        return cls(
            real_real=_block_sums(x, x, u, u) - np.diag(_self_kernel(x) @ u),
            fake_fake=_block_sums(y, y, v, v) - np.diag(_self_kernel(y) @ v),
            real_fake=_block_sums(x, y, u, v),
            num_real=u.sum(axis=0),
            num_fake=v.sum(axis=0),
        )

    def part(self, real_blocks: np.ndarray, fake_blocks: np.ndarray) -> _Sums:
        return _Sums(
            self.real_real[np.ix_(real_blocks, real_blocks)],
            self.fake_fake[np.ix_(fake_blocks, fake_blocks)],
            self.real_fake[np.ix_(real_blocks, fake_blocks)],
            self.num_real[real_blocks],
            self.num_fake[fake_blocks],
        )


def _mmd2(sums: _Sums) -> float:
    n, m = sums.num_real.sum(), sums.num_fake.sum()
    within = sums.real_real.sum() / (n * (n - 1)) + sums.fake_fake.sum() / (m * (m - 1))
    return float(within - 2 * sums.real_fake.sum() / (n * m))


def _block_sums(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Returns u^T k(x, y) v, tile by tile; u and v are one-hot blocks [N, blocks]."""
    total = np.zeros((u.shape[1], v.shape[1]))
    for rows in tiles(len(x), len(y)):
        kernel = (x[rows] @ y.T / x.shape[1] + 1) ** 3
        total += u[rows].T @ (kernel @ v)
    return total


def _self_kernel(x: np.ndarray) -> np.ndarray:
    return (np.einsum("nd,nd->n", x, x) / x.shape[1] + 1) ** 3


def _blocks(num: int, groups: np.ndarray | None, random: np.random.RandomState) -> np.ndarray:
    """Deals units at random into blocks of sizes as equal as possible; returns the block of each image."""
    units = np.arange(num) if groups is None else np.unique(groups, return_inverse=True)[1]
    num_units = int(units.max()) + 1
    return (random.permutation(num_units) % min(num_units, _MAX_BLOCKS))[units]
