from __future__ import annotations

import numpy as np
import pytest

from stylegraft.data.sampler import TrainSampler


def test_sampler_shows_every_image_once_an_epoch():
    indices, flips = TrainSampler(37, seed=1, mirror=False).batch(0, 3 * 37)
    for epoch in indices.reshape(3, 37):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(37))
    assert not flips.any()
    assert indices.dtype == np.int64


def test_sampler_shuffles_each_epoch_differently():
    first, second = TrainSampler(37, seed=1, mirror=False).batch(0, 74)[0].reshape(2, 37)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(37))


@pytest.mark.parametrize("batch", [1, 7, 16, 50])
def test_sampler_depends_on_the_position_only(batch):
    whole = TrainSampler(20, seed=5, mirror=True).batch(0, 200)
    sampler = TrainSampler(20, seed=5, mirror=True)
    starts = list(range(0, 200, batch))
    parts = {start: sampler.batch(start, min(batch, 200 - start)) for start in reversed(starts)}
    for part in range(2):
        np.testing.assert_array_equal(np.concatenate([parts[start][part] for start in starts]), whole[part])


def test_sampler_depends_on_the_seed():
    first, second = (TrainSampler(50, seed, mirror=True).batch(0, 50) for seed in (0, 1))
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[1], second[1])


def test_sampler_mirrors_half_and_independently_of_the_image():
    indices, flips = TrainSampler(10, seed=0, mirror=True).batch(0, 4000)
    assert abs(flips.mean() - 0.5) < 0.04  # five standard deviations of 4000 fair coins
    for index in range(10):
        assert abs(flips[indices == index].mean() - 0.5) < 0.125  # five of 400


def test_sampler_goes_through_epochs_of_one_image():
    indices, _ = TrainSampler(1, seed=0, mirror=True).batch(10**9, 5)
    np.testing.assert_array_equal(indices, np.zeros(5))


def test_sampler_order_is_pinned():
    # Resuming a run with a newer release must go on with the same order.
    indices, flips = TrainSampler(8, seed=7, mirror=True).batch(5, 8)
    assert indices.tolist() == [0, 2, 1, 6, 0, 1, 7, 3]
    assert flips.astype(int).tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
