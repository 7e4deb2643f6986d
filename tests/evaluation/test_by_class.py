"""Are generated classes as asked: a model that is right, one that mixes classes up, and impossible sets."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from stylegraft.errors import DataError, InputError
from stylegraft.evaluation.by_class import measure_by_class

NAMES = ("left", "right", "even")
COUNTS = (60, 40, 8)


def draw_classes(random, classes):
    """A bright bar at the left, at the right, or none, under noise, uint8 [n, 16, 16, 1]."""
    images = random.normal(110, 40, [len(classes), 16, 16, 1])
    images[classes == 0, :, :5] += 60
    images[classes == 1, :, -5:] += 60
    return np.clip(images, 0, 255).astype(np.uint8)


class Painter:
    """A generator that draws what it is asked for, or something else."""

    def __init__(self, change=lambda classes: classes, names=NAMES):
        self.info, self.class_names, self.change = {"c_dim": len(names)}, list(names), change
        self.asked = []

    def sample(self, seeds, psi, *, labels):
        classes = labels.argmax(axis=1)
        self.asked += list(zip(seeds, classes))
        parts = [
            draw_classes(np.random.RandomState(seed), self.change(classes[[row]]))
            for row, seed in enumerate(seeds)
        ]
        return np.concatenate(parts)


def make_set(counts=COUNTS, num_heldout=20):
    classes = np.concatenate([np.repeat(np.arange(3), counts), np.arange(num_heldout) % 3])
    array = draw_classes(np.random.RandomState(10**6), classes)
    images = SimpleNamespace(
        pixels=lambda indices: array[indices],
        names=[f"{index:03}.png" for index in range(len(classes))],
        class_names=NAMES,
        class_indices=classes,
        content_hash=f"{sum(counts)}-{num_heldout}" * 8,
    )
    num = sum(counts)
    split = SimpleNamespace(train_indices=np.arange(num), holdout_indices=np.arange(num, num + num_heldout))
    return images, split


@pytest.fixture
def measure(network, cache):
    def measure(model, images_and_split=None, **more):
        images, split = images_and_split or make_set()
        return measure_by_class(
            model, images, split, **({"num_each": 40, "network": network, "cache": cache} | more)
        )

    return measure


def test_model_that_makes_what_is_asked_agrees(measure):
    model = Painter()
    result = measure(model, seed=5)
    assert result["agreement"] > 0.95
    assert result["heldout_agreement"] > 0.9
    assert [row["class"] for row in result["rows"]] == list(NAMES)
    assert [row["num_train"] for row in result["rows"]] == list(COUNTS)
    assert sum(row["share"] for row in result["rows"]) == pytest.approx(1)
    # Each class has seeds of its own; one more looks at the shape.
    assert model.asked[1:] == [(5 + row, row // 40) for row in range(120)]
    assert result["rows"][2]["seeds"][0] == 85
    json.dumps(result, allow_nan=False)


def test_rare_class_drawn_as_a_common_one_is_found_out(measure):
    rows = {row["class"]: row for row in measure(Painter(lambda c: np.where(c == 2, 0, c)))["rows"]}
    assert rows["left"]["agreement"]["value"] > 0.95
    assert rows["even"]["agreement"]["high"] < 0.2
    assert next(iter(rows["even"]["taken_for"])) == "left"
    sentence = measure(Painter(lambda c: np.where(c == 2, 0, c)))["sentence"]
    assert "'even'" in sentence
    assert "8 training images" in sentence
    assert "most often takes for 'left'" in sentence
    right = {row["class"]: row for row in measure(Painter())["rows"]}
    assert rows["even"]["kd"]["value"] > 3 * abs(right["even"]["kd"]["value"])


def test_rare_class_counts_as_much_as_a_common_one(measure):
    # With images as rare as this a classifier that saw each once would hardly ever name them.
    rows = measure(Painter(), make_set(counts=(200, 200, 3), num_heldout=60), num_each=100)["rows"]
    assert rows[2]["heldout_right"] / rows[2]["num_heldout"] > 0.5


def test_small_classes_have_no_neighbours_and_a_warning(measure):
    result = measure(Painter())
    first, _, last = result["rows"]
    assert first["coverage"]["num_real"] == first["coverage"]["num_fake"] == 40
    assert (last["precision"], last["coverage"]) == (None, None)
    assert last["kd"]["low"] is not None
    assert any("fewer than 50 training images of right, even" in note for note in result["notes"])
    assert any("fewer than 10 held-out images" in note for note in result["notes"])


def test_absent_class_and_missing_held_out_images_are_told(measure):
    result = measure(Painter(), make_set(counts=(30, 30, 0), num_heldout=0))
    assert [row["class"] for row in result["rows"]] == ["left", "right"]
    assert result["heldout_agreement"] is None
    assert any("no training images of even" in note for note in result["notes"])


def test_mirrored_training_images_count(measure):
    # Mirrored, left is right: the classifier has to find both equally likely.
    rows = measure(Painter(), make_set(counts=(50, 50, 50)), mirror=True)["rows"]
    assert rows[0]["agreement"]["value"] < 0.8
    assert rows[2]["agreement"]["value"] > 0.8


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (Painter(names=("left", "right")), InputError, "--by-class: expected a generator of the images' 3"),
        (Painter(names=("left", "right", "odd")), InputError, "--by-class: expected the generator's classes"),
    ],
)
def test_model_of_other_classes_is_refused(measure, model, error, words):
    with pytest.raises(error, match=words):
        measure(model)


def test_single_class_is_refused(measure):
    with pytest.raises(DataError, match="at least 2 classes, got 1"):
        measure(Painter(), make_set(counts=(30, 0, 0), num_heldout=0))
