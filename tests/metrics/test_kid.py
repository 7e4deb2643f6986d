import numpy as np
import pytest
from references import PAIRS, expected, pair

from stylegraft.errors import InputError, RunError
from stylegraft.metrics import kid, kid_interval, pairwise, subset_kid

# The originals sum cubes of about one in single precision, up to a million of them: that is good to 1e-6 of
# one, while the distance itself may be much smaller. Our own sums are in double precision.
TOLERANCE = 1e-6


@pytest.mark.parametrize("max_subset", [100, 1000])
@pytest.mark.parametrize("name", PAIRS)
def test_subset_kid_against_nvidia(name, max_subset):
    found = subset_kid(*pair(name), num_subsets=10, max_subset=max_subset, seed=123)
    assert found.mean == pytest.approx(
        expected()[name][f"nv_kid_subsets10_max{max_subset}_npseed123"], abs=TOLERANCE
    )


@pytest.mark.parametrize("name", PAIRS)
def test_subset_kid_against_torch_fidelity(name):
    found = subset_kid(*pair(name), num_subsets=10, max_subset=100, seed=2020)
    mean, std = expected()[name]["tfid_kid_subsets10_size100_seed2020"]
    assert (found.mean, found.std) == pytest.approx((mean, std), abs=TOLERANCE)


@pytest.mark.parametrize("name", ["a_same_1000x64", "b_shift_1000x64", "f_shift_1000x8"])
def test_kid_of_all_images_against_nvidia(name):
    assert kid(*pair(name)) == pytest.approx(expected()[name]["nv_kid_fullset"], abs=TOLERANCE)


def test_kid_is_the_mean_over_pairs_whatever_the_tiles(monkeypatch):
    real, fake = (side[:40].astype(float) for side in pair("b_shift_1000x64"))
    kernel = lambda x, y: (x @ y / 64 + 1) ** 3  # noqa: E731
    within = sum(
        np.mean([kernel(side[i], side[j]) for i in range(40) for j in range(40) if i != j])
        for side in (real, fake)
    )
    between = np.mean([kernel(x, y) for x in real for y in fake])
    monkeypatch.setattr(pairwise, "_TILE_ELEMENTS", 7 * 40)
    assert kid(real, fake) == pytest.approx(within - 2 * between, rel=1e-12)


def test_kid_of_few_images_is_not_biased():
    random = np.random.RandomState(0)
    values = [kid(random.randn(10, 8), random.randn(10, 8)) for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)


def test_kid_interval_holds_the_truth_about_as_often_as_it_says():
    # The truth: with unbiased estimates, the mean over very many images.
    random = np.random.RandomState(1)
    draw = lambda n, shift: random.randn(n, 6) + shift  # noqa: E731
    truth = kid(draw(4000, 0.0), draw(4000, 0.3))
    intervals = [kid_interval(draw(80, 0.0), draw(120, 0.3), seed=i) for i in range(60)]
    held = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    # 0.95 is meant; half-samples err on the wide side for a quadratic statistic. 0.85 is 3.5 sigma off.
    assert held > 0.85
    # And the width is right: not a factor of two off the spread of the estimates themselves.
    spread = np.std([interval.value for interval in intervals], ddof=1)
    assert 0.8 < np.mean([interval.standard_error for interval in intervals]) / spread < 1.6


def test_kid_interval_widens_when_images_share_sources():
    random = np.random.RandomState(2)
    groups = np.repeat(np.arange(30), 5)
    real = np.repeat(random.randn(30, 6), 5, axis=0) + 0.1 * random.randn(150, 6)
    fake = random.randn(150, 6)
    alone = kid_interval(real, fake)
    grouped = kid_interval(real, fake, real_groups=groups)
    assert grouped.value == pytest.approx(alone.value, rel=1e-9)
    assert grouped.standard_error > 1.4 * alone.standard_error


def test_kid_refuses_one_image_and_nan():
    good = np.ones((5, 3))
    with pytest.raises(InputError, match="at least 2 real images, got 1"):
        kid(good[:1], good)
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(RunError, match="fake images: expected finite"):
        kid(good, bad)
    with pytest.raises(ValueError, match=r"one length, got \[2, 3\]"):
        kid(good, good[:, :2])
