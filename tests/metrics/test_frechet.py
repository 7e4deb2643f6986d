import numpy as np
import pytest
from references import PAIRS, expected, frechet, pair

from stylegraft.errors import InputError, RunError
from stylegraft.metrics import FD_EFFLITE0, FeatureStats, frechet_distance, stats_distance

# NVIDIA's code divides covariances by N; torch-fidelity divides by N - 1.
DDOF = {"nv_fid": 0, "tfid_fid": 1}


def features(seed, n, dim=6):
    random = np.random.RandomState(seed)
    return random.randn(n, dim) @ random.randn(dim, dim) + random.randn(dim)


def moments(x, ddof=1):
    return x.mean(axis=0), np.cov(x, rowvar=False, ddof=ddof)


@pytest.mark.parametrize("original", DDOF)
@pytest.mark.parametrize("name", PAIRS)
def test_distance_against_originals(name, original):
    (real, fake), ddof, wanted = pair(name), DDOF[original], frechet(name, original)
    stats = FeatureStats.from_features(real), FeatureStats.from_features(fake)
    # Double precision agrees to 1e-13, but the originals lose digits: in the matrix square root of the pair
    # of low rank (1e-8), and torch-fidelity in means that it takes in float32 (up to 2.5e-7).
    assert stats_distance(*stats, ddof=ddof) == pytest.approx(wanted, rel=1e-6)
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    assert frechet_distance(*moments(real, ddof), *moments(fake, ddof)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_moments_of_real_features_against_nvidia(name):
    stats = FeatureStats.from_features(pair(name)[0])
    # Double precision on both sides, but sums of many terms that cancel.
    assert stats.mean.sum() == pytest.approx(expected()[name]["mean_sum"], rel=1e-9)
    assert np.trace(stats.covariance(ddof=0)) == pytest.approx(expected()[name]["cov_trace"], rel=1e-12)


def test_distance_of_diagonal_gaussians_has_a_closed_form():
    mu_a, mu_b = np.array([1.0, 2.0, 0.0]), np.array([0.0, 2.0, -2.0])
    sd_a, sd_b = np.array([1.0, 0.0, 3.0]), np.array([2.0, 0.5, 3.0])
    expected = ((mu_a - mu_b) ** 2).sum() + ((sd_a - sd_b) ** 2).sum()
    assert frechet_distance(mu_a, np.diag(sd_a**2), mu_b, np.diag(sd_b**2)) == pytest.approx(
        expected, rel=1e-14
    )


@pytest.mark.parametrize(("n", "m"), [(4, 5), (4, 300), (300, 4)])
def test_few_samples_give_the_same_distance_as_their_covariances(n, m):
    a, b = features(1, n, dim=40), features(2, m, dim=40)
    direct = stats_distance(FeatureStats.from_features(a), FeatureStats.from_features(b))
    assert direct == pytest.approx(frechet_distance(*moments(a), *moments(b)), rel=1e-10)
    swapped = stats_distance(FeatureStats.from_features(b), FeatureStats.from_features(a))
    assert swapped == pytest.approx(direct, rel=1e-12)


def test_distance_of_a_set_to_itself_is_zero_and_grows_with_a_shift():
    a = features(3, 50)
    stats = FeatureStats.from_features(a)
    # What is left is the rounding of a difference of traces.
    assert 0 <= stats_distance(stats, stats) < 1e-12 * np.trace(stats.covariance())
    shift = np.full(6, 0.5)
    assert stats_distance(stats, FeatureStats.from_features(a + shift)) == pytest.approx(6 * 0.25, rel=1e-9)


@pytest.mark.parametrize("batch", [1, 7, 64, 3000])
@pytest.mark.parametrize("ddof", [0, 1])
def test_streamed_statistics_are_those_of_all_features(batch, ddof):
    # More rows than the root keeps, so that it is shortened on the way; a mean far off shows cancellation.
    x = features(4, 2500) + 1e4
    stats = FeatureStats(6)
    for start in range(0, len(x), batch):
        stats.update(x[start : start + batch])
    mean, cov = moments(x, ddof)
    assert stats.n == len(x)
    np.testing.assert_allclose(stats.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(stats.covariance(ddof), cov, rtol=1e-9, atol=1e-9)
    assert len(stats.root) <= 6


def test_statistics_can_be_stored_and_continued():
    x = features(5, 30)
    first = FeatureStats.from_features(x[:10])
    again = FeatureStats.from_root(first.n, first.mean, first.root)
    again.update(x[10:])
    np.testing.assert_allclose(again.covariance(), np.cov(x, rowvar=False), rtol=1e-12)


def test_features_that_are_not_finite_are_refused():
    x = features(6, 5)
    x[3, 2] = np.nan
    with pytest.raises(RunError, match="finite"):
        FeatureStats.from_features(x)


def test_features_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"\[n, 6\]"):
        FeatureStats(6).update(np.zeros([2, 5]))


@pytest.mark.parametrize("n", [0, 1])
def test_distance_needs_two_samples_a_side(n):
    few, many = FeatureStats(6), FeatureStats.from_features(features(7, 9))
    few.update(features(8, n))
    with pytest.raises(InputError, match="at least 2"):
        stats_distance(few, many)


def test_name_of_the_setting_is_not_fid():
    assert FD_EFFLITE0.name == "FD-EffLite0"
