import json

import numpy as np
import pytest

from stylegraft.errors import InputError
from stylegraft.evaluation import DistanceEvaluator


def make(images, split, network, cache, **options):
    return DistanceEvaluator(
        images, split.train_indices, split.holdout_indices, network=network, cache=cache, **options
    )


def slices(array):
    return lambda start, count: array[start : start + count]


def test_distance_tells_good_fakes_from_bad(images, split, network, cache, draw):
    evaluator = make(images, split, network, cache)
    good = evaluator(slices(draw(1, 90)), 90)
    bad = evaluator(slices(draw(1, 90, brightness=30)), 90)
    # A constant shift of 30 grey levels in 16 features adds its square to the distance.
    assert bad.value - good.value == pytest.approx(16 * 30**2, rel=0.2)
    assert good.value < 2 * good.floor.value
    assert bad.floor == good.floor


def test_real_training_images_as_fakes_score_the_floor(images, split, network, cache):
    result = make(images, split, network, cache)(slices(images.array[:90]), 90)
    assert result.value == pytest.approx(result.floor.value, rel=1e-12)
    assert result.floor.num_train == 90


def test_floor_takes_as_many_images_as_there_are_fakes(images, split, network, cache, draw):
    evaluator = make(images, split, network, cache)
    few, many = evaluator(slices(draw(1, 90)), 20), evaluator(slices(draw(1, 90)), 90)
    assert (few.floor.num_train, many.floor.num_train) == (20, 90)
    assert few.floor.value > many.floor.value, "few samples raise the distance"


def test_result_is_complete_json(images, split, network, cache, draw):
    result = make(images, split, network, cache)(slices(draw(1, 50)), 50)
    values = json.loads(json.dumps(result.to_dict()))
    assert values["name"] == "FD-EffLite0"
    assert (values["num_real"], values["num_fake"], values["held_out"]) == (30, 50, True)
    assert 0 < values["seconds_per_fake"] * 50 <= values["seconds"]
    assert values["floor"]["num_train"] == 50
    assert values["precision"] == network.precision


def test_fakes_are_asked_for_once_each_in_order(images, split, network, cache, draw):
    asked = []
    fakes = draw(1, 70)

    def sample(start, count):
        asked.extend(range(start, start + count))
        return fakes[start : start + count]

    make(images, split, network, cache)(sample, 70)
    assert asked == list(range(70))


def test_features_of_a_measured_sampler_are_kept(images, split, network, cache, draw):
    evaluator, fakes = make(images, split, network, cache), draw(1, 70)
    sample, other = slices(fakes), slices(fakes[::-1])
    evaluator(sample, 70)
    seen = network.num_images
    assert np.array_equal(evaluator.features_of(sample, 40), network(fakes[:40]).numpy())
    assert network.num_images == seen + 40, "the line above looked, the evaluator did not"
    # Of another sampler, or of more than were measured, nothing is known.
    assert np.array_equal(evaluator.features_of(other, 40), network(fakes[:29:-1]).numpy())
    assert len(evaluator.features_of(sample, 70)) == 70
    assert network.num_images == seen + 40 + 40 + 40


def test_real_images_are_measured_once_even_across_processes(images, split, network, cache, draw):
    first = make(images, split, network, cache)(slices(draw(1, 50)), 50)
    images.asked.clear()
    again = make(images, split, network, cache)(slices(draw(1, 50)), 50)
    assert images.asked == []
    # The stored root is the one in use, or its QR decomposition: the same up to rounding.
    assert again.value == pytest.approx(first.value, rel=1e-12)
    images.content_hash = "d" * 64
    make(images, split, network, cache)(slices(draw(1, 50)), 50)
    assert set(range(90, 120)) <= set(images.asked)


def test_training_images_are_the_reference_when_none_are_held_out(images, split, network, cache, draw):
    split.holdout_indices = np.arange(0)
    result = make(images, split, network, cache)(slices(draw(1, 50)), 50)
    assert (result.held_out, result.floor, result.num_real) == (False, None, 90)


def test_mirror_makes_both_sides_equal(images, split, network, cache, draw):
    fakes = draw(1, 60)
    mirrored = fakes[:, :, ::-1]
    plain = make(images, split, network, cache)
    both = make(images, split, network, cache, mirror=True)
    assert plain(slices(mirrored), 60).value > 2 * plain(slices(fakes), 60).value
    # The reference is symmetric, and so is the distance; what is left is rounding.
    assert both(slices(mirrored), 60).value == pytest.approx(both(slices(fakes), 60).value, rel=1e-9)
    assert both(slices(fakes), 60).num_real == 30


def test_mirrored_floor_shows_each_image_from_one_side(images, split, network, cache, draw):
    evaluator = make(images, split, network, cache, mirror=True)
    floor = evaluator(slices(draw(1, 90)), 90).floor
    random = np.random.RandomState(5)
    sides = np.where(random.rand(90, 1, 1, 1) < 0.5, images.array[:90], images.array[:90, :, ::-1])
    perfect = evaluator(slices(sides), 90).value
    # Two draws of the same sides; one-sided images would be ten times as far.
    assert floor.value == pytest.approx(perfect, rel=0.5)
    assert evaluator(slices(images.array[:90]), 90).value > 3 * floor.value


def test_large_real_sides_are_thinned_out(images, split, network, cache, draw):
    result = make(images, split, network, cache, max_real=10)(slices(draw(1, 50)), 50)
    assert result.num_real == 10
    assert len(set(images.asked) & set(range(90, 120))) == 10


def test_time_of_features_is_measured(images, split, network, cache):
    seconds = make(images, split, network, cache).seconds_per_image()
    assert 0 < seconds < 1


@pytest.mark.parametrize("num", [0, 1])
def test_single_fakes_are_refused(images, split, network, cache, draw, num):
    with pytest.raises(InputError, match="at least 2"):
        make(images, split, network, cache)(slices(draw(1, 2)), num)


def test_default_network_is_the_one_of_the_setting(images, split, cache, draw):
    evaluator = DistanceEvaluator(images, split.train_indices[:8], split.holdout_indices[:6], cache=cache)
    near = evaluator(slices(draw(1, 12)), 12)
    far = evaluator(lambda start, count: np.full([count, 8, 8, 1], 255, np.uint8), 12)
    assert near.name == "FD-EffLite0"
    assert near.value < 0.5 * far.value
