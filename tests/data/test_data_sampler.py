from __future__ import annotations

import numpy as np
import pytest

from stylegraft.data.sampler import ClassGroupSampler, TrainSampler


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


CLASSES = np.repeat([0, 1, 2], [9, 4, 2])


@pytest.mark.parametrize("balance", [False, True])
def test_class_groups_share_a_class_and_are_strided(balance):
    sampler = ClassGroupSampler(CLASSES, 4, seed=0, mirror=False, balance=balance)
    for start in range(0, 640, 16):
        indices, _ = sampler.batch(start, 16)
        groups = CLASSES[indices].reshape(4, 4)  # [member, group]: sample i is in group i mod 4
        assert (groups == groups[0]).all()


def test_class_groups_show_every_image_equally_often_in_a_round():
    indices, _ = ClassGroupSampler(CLASSES, 4, seed=0, mirror=False).batch(0, 15 * 4)
    np.testing.assert_array_equal(np.bincount(indices, minlength=15), np.full(15, 4))


def test_class_groups_do_not_repeat_an_image_where_the_class_has_enough():
    sampler = ClassGroupSampler(np.zeros(64, np.int64), 4, seed=0, mirror=False)
    groups = np.concatenate([sampler.batch(start, 4)[0][None] for start in range(0, 256, 4)])
    assert all(len(set(group)) == 4 for group in groups.tolist())


def test_class_groups_balanced_show_classes_equally_often():
    indices, _ = ClassGroupSampler(CLASSES, 4, seed=0, mirror=False, balance=True).batch(0, 3 * 9 * 4)
    np.testing.assert_array_equal(np.bincount(CLASSES[indices]), [36, 36, 36])
    np.testing.assert_array_equal(np.bincount(indices)[-2:], [18, 18])


@pytest.mark.parametrize("group_size", [4, None])
def test_class_groups_depend_on_the_position_only(group_size):
    whole = [
        ClassGroupSampler(CLASSES, group_size, seed=5, mirror=True).batch(s, 8) for s in range(0, 200, 8)
    ]
    sampler = ClassGroupSampler(CLASSES, group_size, seed=5, mirror=True)
    for start in reversed(range(0, 200, 8)):
        for part, expected in zip(sampler.batch(start, 8), whole[start // 8]):
            np.testing.assert_array_equal(part, expected)


def test_class_groups_order_is_pinned():
    indices, _ = ClassGroupSampler(CLASSES, 2, seed=7, mirror=False).batch(4, 8)
    assert indices.tolist() == [6, 7, 12, 1, 2, 4, 9, 4]
