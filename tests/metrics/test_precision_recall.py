import numpy as np
import pytest
from references import PAIRS, expected, pair

from stylegraft.errors import InputError
from stylegraft.metrics import density_coverage, neighbour_intervals, pairwise, precision_recall


def shares(name, kind):
    return tuple(expected()[name][f"nv_{side}_k3_{kind}"] for side in ("precision", "recall"))


# Shares of counted images: equal counts give equal shares, up to the originals' single precision.
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("number_type", "kind"), [("half", "fp16"), ("single", "fp32"), ("double", "fp32")])
def test_precision_recall_against_nvidia(name, number_type, kind):
    found = precision_recall(*pair(name), number_type=number_type)
    assert (found.precision, found.recall) == pytest.approx(shares(name, kind), abs=1e-7)


def test_half_precision_makes_a_difference():
    found = precision_recall(*pair("b_shift_1000x64"), number_type="half")
    assert (found.precision, found.recall) != pytest.approx(shares("b_shift_1000x64", "fp32"), abs=1e-7)


@pytest.mark.parametrize("tile", [1, 37, 10**6])
def test_all_four_are_what_their_definitions_say_whatever_the_tiles(monkeypatch, tile):
    random = np.random.RandomState(0)
    real, fake = random.randn(31, 5), 0.7 * random.randn(23, 5) + 0.4
    monkeypatch.setattr(pairwise, "_TILE_ELEMENTS", tile)

    def radius(points, i, k):
        return sorted(np.linalg.norm(points - points[i], axis=1))[k]

    def inside(probes, manifold):
        return np.mean(
            [
                any(np.linalg.norm(p - m) <= radius(manifold, i, 3) for i, m in enumerate(manifold))
                for p in probes
            ]
        )

    balls = np.array([[np.linalg.norm(f - r) < radius(real, i, 5) for i, r in enumerate(real)] for f in fake])
    both, cover = precision_recall(real, fake), density_coverage(real, fake)
    assert both.precision == inside(fake, real)
    assert both.recall == inside(real, fake)
    assert cover.density == pytest.approx(balls.sum() / (5 * 23))
    assert cover.coverage == balls.any(axis=0).mean()
    intervals = neighbour_intervals(real, fake, num=10)
    assert [interval.value for interval in intervals.values()] == pytest.approx(
        [both.precision, both.recall, cover.density, cover.coverage]
    )


def test_perfect_generator_has_the_known_density_and_coverage():
    random = np.random.RandomState(1)
    real, fake = random.randn(1500, 4), random.randn(1500, 4)
    found = density_coverage(real, fake)
    assert found.density == pytest.approx(1, abs=0.06)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_neighbour_intervals_are_as_wide_as_the_spread():
    random = np.random.RandomState(2)
    draws = [
        neighbour_intervals(random.randn(60, 3), 0.8 * random.randn(60, 3) + 0.5, num=40) for _ in range(40)
    ]
    for name in ("precision", "recall", "density", "coverage"):
        intervals = [draw[name] for draw in draws]
        spread = np.std([interval.value for interval in intervals], ddof=1)
        # 40 draws give the spread to 11 %. Radii add some width of their own in halves; never less.
        assert 0.7 < np.mean([interval.standard_error for interval in intervals]) / spread < 1.8, name
        truth = np.mean([interval.value for interval in intervals])
        assert np.mean([i.low <= truth <= i.high for i in intervals]) >= 0.85, name
        assert all(0 <= i.low <= i.value <= i.high for i in intervals)
        assert name == "density" or all(i.high <= 1 for i in intervals)


def test_too_few_images_for_the_neighbours_are_refused():
    few, many = np.eye(3), np.eye(30)[:, :3]
    with pytest.raises(InputError, match="at least 4 fake images, got 3"):
        precision_recall(many, few)
    with pytest.raises(InputError, match="at least 6 real images, got 3"):
        density_coverage(few, many)
    with pytest.raises(InputError, match="at least 12 real images, got 3"):
        neighbour_intervals(few, many)
