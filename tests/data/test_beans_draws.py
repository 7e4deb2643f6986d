import numpy as np
import pytest

from stylegraft.data.beans.draws import Draws
from stylegraft.data.beans.linear import product
from stylegraft.data.beans.shape import point_positions


@pytest.mark.parametrize("shape", [(3, 5, 2), (700, 80, 90), (2, 1000, 900)])
def test_product_in_blocks_equals_the_plain_product(shape):
    state = np.random.RandomState(0)
    a, b = state.randn(shape[0], shape[1]), state.randn(shape[1], shape[2])
    np.testing.assert_allclose(product(a, b), a @ b, rtol=0, atol=1e-10)


def test_draws_follow_seed_and_index():
    value = Draws(1, 2).between(0.0, 1.0)
    assert value == Draws(1, 2).between(0.0, 1.0)
    assert len({value, Draws(2, 1).between(0.0, 1.0), Draws(1, 3).between(0.0, 1.0)}) == 3


def test_draws_are_the_ones_of_all_platforms():
    # A frozen stream: a set named by a seed must not change between releases.
    assert Draws(0, 0).between(0.0, 1.0) == pytest.approx(0.47932306384132817, abs=1e-12)


def test_noise_has_mean_0_and_variance_1():
    fields = np.stack([Draws(0, index).noise(point_positions(48), 0.3, 30.0) for index in range(30)])
    # 30 fields of some hundred independent blobs each: the mean is known to about 0.02, the variance to 0.05.
    assert abs(fields.mean()) < 0.05
    assert abs(fields.var() - 1) < 0.15


def test_stretched_noise_is_smoother_along_its_angle():
    fields = [Draws(0, index).noise(point_positions(48), 0.0, 10.0, stretch=4.0) for index in range(10)]
    along = np.mean([np.abs(np.diff(field, axis=1)).mean() for field in fields])
    across = np.mean([np.abs(np.diff(field, axis=0)).mean() for field in fields])
    assert across > 2 * along


def test_noise_at_another_resolution_is_the_same_field():
    coarse = Draws(0, 1).noise(point_positions(16), 0.5, 8.0)
    fine = Draws(0, 1).noise(point_positions(48), 0.5, 8.0)
    np.testing.assert_allclose(fine[1::3, 1::3], coarse, atol=1e-4)
