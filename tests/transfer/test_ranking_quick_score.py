"""The quick score against numbers that are known, and its order against what anybody would say."""

from __future__ import annotations

import numpy as np
import pytest

from stylegraft.transfer.ranking.quick_score import WEIGHTS, Parts, Target

DIM = 32


def cloud(seed: int, num: int, centre: float = 0.0, spread: float = 0.3, axes: int = DIM) -> np.ndarray:
    """Features around a direction: `centre` turns it, `axes` is in how many directions they vary."""
    random = np.random.RandomState(seed)
    middle = np.zeros(DIM)
    middle[:2] = np.cos(centre), np.sin(centre)
    noise = np.zeros((num, DIM))
    noise[:, :axes] = random.randn(num, axes) * spread / np.sqrt(axes)
    return (middle + noise) * random.uniform(5, 20, size=[num, 1])  # lengths do not count


@pytest.fixture(scope="module")
def target() -> Target:
    return Target(cloud(0, 60))


def test_variability_of_orthogonal_features_is_known() -> None:
    found = Target(np.eye(12) * 7).variability
    assert found.distance == pytest.approx(1)
    assert found.rank == pytest.approx(11)  # equal in all directions but the one that the mean takes


def test_variability_of_equal_features_is_none() -> None:
    found = Target(np.ones((12, 5))).variability
    assert found.distance == pytest.approx(0, abs=1e-12)
    assert found.rank == 1
    score = Target(np.ones((12, 5))).score(np.ones((20, 5)))
    assert score.score.value == pytest.approx(100)


def test_effective_rank_counts_directions() -> None:
    random = np.random.RandomState(0)
    features = np.zeros((400, DIM))
    features[:, 0], features[:, 1:5] = 100, random.randn(400, 4)
    assert Target(features).variability.rank == pytest.approx(4, abs=0.1)


def test_score_is_the_product_of_its_parts(target: Target) -> None:
    found = target.score(cloud(1, 80, centre=0.5))
    parts = [found.parts.closeness, found.parts.reach, found.parts.variety]
    assert found.score.value == pytest.approx(100 * np.prod(np.power(parts, list(WEIGHTS.values()))))
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert Parts(1, 1, 1).score == 100
    assert Parts(1, 0, 1).score == 0


def test_parts_follow_their_definitions(target: Target) -> None:
    features, samples = cloud(0, 60), cloud(1, 80, centre=0.5, spread=0.2)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features, samples))
    between = 1 - a @ b.T
    within = [np.mean([1 - x[i] @ x[j] for i in range(len(x)) for j in range(i)]) for x in (a, b)]
    found = target.score(samples)
    assert found.parts.closeness == pytest.approx(np.mean(within) / between.mean())
    assert found.parts.reach == pytest.approx(1 - between.min(axis=1).mean())
    assert found.variability.distance == pytest.approx(within[1])
    rank = found.variability.rank / target.variability.rank
    assert found.parts.variety == pytest.approx(np.sqrt(within[1] / within[0] * min(rank, 1)))


def test_score_falls_with_distance(target: Target) -> None:
    scores = [target.score(cloud(1, 80, centre=centre)).score.value for centre in (0, 0.3, 0.8, 1.5)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 95
    assert scores[-1] < scores[0] - 20


def test_score_of_a_source_that_varies_less_is_lower_and_of_one_that_varies_more_is_not(
    target: Target,
) -> None:
    equal, less, few, more = (
        target.score(cloud(1, 80, **changes)).parts.variety
        for changes in ({}, {"spread": 0.1}, {"axes": 3}, {"spread": 0.9})
    )
    assert less < 0.6
    assert few < 0.6
    assert equal > 0.95
    assert more > 0.95


def test_recall_and_kd_are_those_of_metrics(target: Target) -> None:
    near, far = target.score(cloud(1, 80)), target.score(cloud(1, 80, centre=1.5))
    assert near.recall > 0.5
    assert far.recall == 0
    assert far.kd > near.kd


def test_errors_are_those_of_other_images() -> None:
    values, errors = [], []
    for seed in range(30):
        found = Target(cloud(100 + seed, 60), seed=seed).score(cloud(200 + seed, 80, centre=0.7)).score
        values.append(found.value)
        errors.append(found.interval.standard_error)
        assert found.interval.low < found.value < found.interval.high
    # 30 values tell their own deviation to 13 %, and the maximum over samples is no smooth statistic.
    assert 0.6 < np.mean(errors) / np.std(values, ddof=1) < 1.7


def test_errors_of_images_of_few_sources_are_larger() -> None:
    features, samples = np.repeat(cloud(0, 10), 6, axis=0), cloud(1, 80, centre=0.7)
    single = Target(features).score(samples).score.interval
    grouped = Target(features, np.repeat(np.arange(10), 6)).score(samples).score.interval
    assert grouped.value == single.value
    assert grouped.standard_error > 1.5 * single.standard_error


def test_scores_are_the_same_for_equal_seeds(target: Target) -> None:
    samples = cloud(1, 80)
    first, again = target.score(samples), Target(cloud(0, 60)).score(samples)
    assert first.score.value == again.score.value
    assert np.array_equal(first.score.errors, again.score.errors)
    other = Target(cloud(0, 60), seed=1).score(samples)
    assert not np.array_equal(first.score.errors, other.score.errors)


def test_score_wants_as_many_samples_as_images(target: Target) -> None:
    with pytest.raises(ValueError, match="at least 60, got 59"):
        target.score(cloud(1, 59))
