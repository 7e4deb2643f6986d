"""Paired errors: what is common to two sources does not blur their order."""

from __future__ import annotations

import numpy as np
import pytest

from stylegraft.metrics.intervals import Units
from stylegraft.transfer.ranking.resampling import (
    NUM_HALVES,
    Resampled,
    differ,
    resample,
    shares_first,
    units_of,
)

IMAGES = np.random.RandomState(0).randn(40)
SAMPLES = np.random.RandomState(1).randn(60)


def mean_plus(offset: float, weight: float = 1.0) -> Resampled:
    """A number that the images move much and the samples hardly."""

    def statistic(some: np.ndarray, others: np.ndarray) -> float:
        return offset + weight * IMAGES[some].mean() + 0.01 * SAMPLES[others].mean()

    value = statistic(np.arange(40), np.arange(60))
    return resample(statistic, value, Units(40), Units(60), seed=0)


def test_resampled_error_is_that_of_a_mean() -> None:
    found = mean_plus(0)
    assert found.errors.shape == (NUM_HALVES,)
    # 100 halves tell it to 7 %.
    expected = IMAGES.std(ddof=1) / np.sqrt(40)
    assert found.interval.standard_error == pytest.approx(expected, rel=0.25)
    assert found.errors.std(ddof=1) == pytest.approx(found.interval.standard_error)


def test_sources_differ_though_their_intervals_overlap() -> None:
    a, b = mean_plus(0), mean_plus(0.1)
    assert b.interval.low < a.interval.high
    assert differ(a, b)
    assert not differ(a, mean_plus(0.0))


def test_sources_that_images_move_in_opposite_directions_are_tied() -> None:
    assert not differ(mean_plus(0), mean_plus(0.3, weight=-1.0))


def test_shares_first_count_draws() -> None:
    opposed = [mean_plus(0), mean_plus(2 * IMAGES.mean(), weight=-1.0)]  # equal, but for other images
    shares = shares_first(opposed, higher_is_better=True)
    assert sum(shares) == pytest.approx(1)
    assert 0.2 < shares[0] < 0.8
    assert shares_first([mean_plus(0), mean_plus(1)], higher_is_better=True) == [0, 1]
    assert shares_first([mean_plus(0), mean_plus(1)], higher_is_better=False) == [1, 0]


def test_resampled_survives_json() -> None:
    found = mean_plus(0)
    again = Resampled.from_dict(found.to_dict())
    assert again.interval == found.interval
    assert np.array_equal(again.errors, found.errors)


def test_units_are_sources_where_there_are_enough() -> None:
    assert units_of(12, np.repeat(np.arange(4), 3)).num == 4
    assert units_of(12, np.repeat(np.arange(3), 4)).num == 12
    assert units_of(12).num == 12
