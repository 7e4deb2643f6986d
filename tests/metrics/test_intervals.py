import numpy as np
import pytest

from stylegraft.errors import InputError
from stylegraft.metrics import (
    FeatureStats,
    differ,
    frechet_interval,
    smallest_difference,
    stats_distance,
    too_small_to_rank,
)
from stylegraft.metrics.frechet import _quick_distance
from stylegraft.metrics.intervals import Interval, Units, half_sample_interval


@pytest.mark.parametrize("num", [40, 41])
def test_standard_error_of_a_mean_is_the_textbook_one(num):
    values = np.random.RandomState(0).randn(num)
    interval = half_sample_interval(
        lambda a, b: values[a].mean(), values.mean(), Units(num), Units(num), num=4000, seed=1
    )
    # 4,000 half-samples give it to 1.1 %.
    assert interval.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(num), rel=0.04)
    assert interval.high - interval.low == pytest.approx(2 * interval.reach)


def test_groups_stay_together_in_a_half():
    groups = np.array(["b", "a", "b", "c", "d", "a", "d", "c"])
    units = Units(8, groups)
    for seed in range(20):
        half = units.half(np.random.RandomState(seed))
        assert len(half) == 4
        assert set(groups[half]).isdisjoint(np.delete(groups, half))


def test_three_units_are_too_few():
    with pytest.raises(InputError, match="at least 4 independent images a side, got 3"):
        Units(30, np.repeat([0, 1, 2], 10))


@pytest.mark.parametrize(("n", "m", "dim"), [(30, 20, 40), (20, 30, 25), (80, 90, 12), (20, 90, 12)])
@pytest.mark.parametrize("ddof", [0, 1])
def test_quick_distance_is_the_exact_one_nearly(n, m, dim, ddof):
    random = np.random.RandomState(0)
    x, y = random.randn(n, dim) @ random.randn(dim, dim), random.randn(m, dim) + 1
    exact = stats_distance(FeatureStats.from_features(x), FeatureStats.from_features(y), ddof)
    assert _quick_distance(x, y, ddof) == pytest.approx(exact, rel=1e-6)


def test_frechet_interval_is_as_wide_as_the_spread():
    # Fewer images than features, as in small sets: the distance is biased, but reproducible as stated.
    random = np.random.RandomState(3)
    mix = random.randn(40, 40) / 6
    draws = [
        frechet_interval(random.randn(35, 40) @ mix, random.randn(30, 40) @ mix + 0.3, num=30)
        for _ in range(40)
    ]
    spread = np.std([draw.value for draw in draws], ddof=1)
    assert 0.8 < np.mean([draw.standard_error for draw in draws]) / spread < 1.7
    truth = np.mean([draw.value for draw in draws])
    assert np.mean([draw.low <= truth <= draw.high for draw in draws]) >= 0.85


def test_bootstrap_would_have_missed_the_frechet_distance():
    # Why half-samples: resampling with replacement moves the whole distribution away from the value.
    random = np.random.RandomState(4)
    x, y = random.randn(60, 20), random.randn(60, 20)
    value = frechet_interval(x, y, num=10).value
    resampled = [
        _quick_distance(x[random.randint(60, size=60)], y[random.randint(60, size=60)], 1) for _ in range(50)
    ]
    assert min(resampled) > value


def make_interval(value, reach):
    return Interval(value, value - reach, value + reach, 0.95, reach / 2, reach)


def test_ranking_needs_errors_smaller_than_the_gap():
    a, b = make_interval(100, 6), make_interval(112, 8)
    assert differ(a, b)
    assert not differ(a, make_interval(109, 8))
    assert smallest_difference(a) == pytest.approx(8.485, abs=1e-3)
    assert too_small_to_rank(a, "FD") is None
    warning = too_small_to_rank(make_interval(100, 8), "FD")
    assert warning is not None
    assert "only differences above 11" in warning
