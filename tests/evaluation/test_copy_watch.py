from types import SimpleNamespace

import numpy as np
import pytest

from stylegraft.evaluation.copy_watch import CopyWatch

DIM = 16


class Straight:
    """Images of 4 by 4 px whose features are their pixels."""

    name, dim, sha256, precision = "straight", DIM, "0" * 64, "fp32"

    def __call__(self, images):
        import torch

        return torch.as_tensor(np.array(images)).float().flatten(1)


def draw(random, num):
    return random.randint(0, 255, [num, 4, 4, 1]).astype(np.uint8)


@pytest.fixture
def make_watch(cache):
    def make(seed=0, num_train=60, num_holdout=40, variants=1, **options):
        random = np.random.RandomState(seed)
        array = draw(random, num_train + num_holdout)
        images = SimpleNamespace(
            content_hash=f"{seed:064}",
            pixels=lambda indices: array[indices],
            names=[f"rock{index // variants:03}_q{index % variants}.png" for index in range(len(array))],
        )
        train, holdout = np.arange(num_train), np.arange(num_train, len(array))
        return CopyWatch(images, train, holdout, Straight(), cache=cache, **options), array[train], random

    return make


def near(originals, random):
    noise = random.randint(-5, 6, originals.shape)
    return np.clip(originals.astype(int) + noise, 0, 255).astype(np.uint8)


def test_copies_leave_the_band(make_watch):
    watch, train, random = make_watch()
    fakes = near(train[random.randint(60, size=100)], random)
    look = watch(lambda start, count: fakes[start : start + count], 100)
    assert look.outside_band
    assert look.share > 0.95
    assert "chance explains up to" in look.sentence
    assert look.to_dict()["outside_band"] is True


def test_a_third_of_copies_leaves_the_band(make_watch):
    watch, train, random = make_watch(num_holdout=100)
    fakes = np.concatenate([near(train[:40], random), draw(random, 60)])
    assert watch(lambda start, count: fakes[start : start + count], 100).outside_band


def test_fresh_images_stay_inside_the_band(make_watch):
    # At one false alarm in a thousand looks, two in 60 have a chance below 0.2 %.
    alarms, shares = 0, []
    for seed in range(60):
        watch, _, random = make_watch(seed)
        look = watch.judge(Straight()(draw(random, 150)).numpy())
        alarms += look.outside_band
        shares.append(look.share - look.expected_share)
    assert alarms <= 1
    # A fake has to be close in two ways, so that chance explains less than the expected share.
    assert -0.1 < np.mean(shares) < 0.03


def test_mirrored_copies_are_seen_where_training_mirrors(make_watch):
    watch, train, random = make_watch(mirror=True)
    fakes = near(train[:, :, ::-1], random)
    assert watch(lambda start, count: fakes[start : start + count], 60).outside_band


def test_at_most_200_fakes_are_asked_for(make_watch):
    watch, _, random = make_watch()
    asked = []

    def sample(start, count):
        asked.append((start, count))
        return draw(random, count)

    watch(sample, 5000)
    assert sum(count for _, count in asked) == 200


def test_features_that_are_known_are_not_taken_again(make_watch):
    fakes = draw(np.random.RandomState(1), 100)
    asked = []

    def features_of(sample, num):
        asked.append(num)
        return Straight()(sample(0, num)).numpy()

    def sample(start, count):
        return fakes[start : start + count]

    plain, _, _ = make_watch()
    watch, _, _ = make_watch(features_of=features_of)
    assert watch(sample, 100) == plain(sample, 100)
    assert asked == [100]


def test_few_sources_say_nothing(make_watch):
    watch, _, random = make_watch(num_holdout=40, variants=4)
    assert not watch.is_calibrated
    assert watch(lambda start, count: draw(random, count), 100) is None
