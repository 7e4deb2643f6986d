import json
from types import SimpleNamespace

import numpy as np
import pytest

from stylegraft.errors import DataError, InputError
from stylegraft.evaluation.utility_run import run_utility, utility_table

NAMES = ("left", "right", "even")


def draw_classes(random, classes):
    """A bright bar at the left, at the right, or none, under strong noise, uint8 [n, 16, 16, 1]."""
    images = random.normal(110, 55, [len(classes), 16, 16, 1])
    images[classes == 0, :, :5] += 45
    images[classes == 1, :, -5:] += 45
    return np.clip(images, 0, 255).astype(np.uint8)


class Painter:
    """A generator that draws what it is asked for, or something else."""

    def __init__(self, change=lambda classes: classes, names=NAMES):
        self.info, self.class_names, self.change = {"c_dim": len(names)}, list(names), change
        self.seeds = []

    def sample(self, seeds, psi, *, labels):
        self.seeds += list(seeds)
        classes = self.change(labels.argmax(axis=1))
        parts = [draw_classes(np.random.RandomState(s), classes[[i]]) for i, s in enumerate(seeds)]
        return np.concatenate(parts)


@pytest.fixture
def few_images():
    """12 to train on, 300 to test on; the classes take turns."""
    classes = np.arange(312) % 3
    return SimpleNamespace(
        array=(array := draw_classes(np.random.RandomState(0), classes)),
        pixels=lambda indices: array[indices],
        names=[f"{index:03}.png" for index in range(312)],
        class_names=NAMES,
        class_indices=classes,
        content_hash="c" * 64,
    )


SPLIT = SimpleNamespace(train_indices=np.arange(12), holdout_indices=np.arange(12, 312))


@pytest.fixture
def run(few_images, network, cache):
    network.precision = "fp32"

    def run(model, split=SPLIT, **more):
        options = {"num_extra": 120, "network": network, "cache": cache} | more
        return run_utility(model, few_images, split, **options)

    return run


def of_arm(result, arm):
    return next(row for row in result["rows"] if row["arm"] == arm)


def test_good_generator_helps(run):
    model = Painter()
    result = run(model)
    assert "synthetic images help: +" in result["sentences"][0]
    assert of_arm(result, "real_synthetic")["gain"]["low"] > 0
    assert [row["num_train"] for row in result["rows"]] == [12, 132, 132, 120]
    assert (result["num_synthetic"], result["copies"], result["num_test"]) == (120, 10, 300)
    # Each of three repetitions has pictures of its own; one more looks at the shape.
    assert sorted(model.seeds) == [0, *range(360)]
    json.dumps(result)


def test_generator_of_mixed_up_classes_harms(run):
    result = run(Painter(change=lambda classes: (classes + 1) % 3))
    assert "synthetic images do harm" in result["sentences"][0]
    assert of_arm(result, "synthetic")["accuracy"]["value"] < 0.2


def test_same_seed_gives_the_same_table(run):
    first, second, other = (run(Painter(), seed=seed) for seed in (0, 0, 5000))
    assert first["rows"] == second["rows"]
    assert first["rows"] != other["rows"]


def test_full_setting_trains_on_pixels(run):
    seen = []
    result = run(
        Painter(),
        setting="full",
        num_steps=20,
        num_seeds=1,
        images_per_class=(2, None),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert of_arm(result, "synthetic")["accuracy"]["value"] > 0.6
    assert result["features"] is None
    assert seen[-1] == (240 + 8, 240 + 8)
    assert any("flatter" in note for note in result["notes"])


def test_table_has_a_line_for_each_arm(run):
    header, rows = utility_table(run(Painter(), num_seeds=1, images_per_class=(2,)))
    assert [len(row) for row in rows] == [len(header)] * 4
    assert rows[0][:3] == ["2", "real only", "6"]
    assert rows[0][4] == ""
    assert rows[2][4].startswith("+")


def test_generator_without_classes_is_refused(run):
    model = Painter()
    model.info["c_dim"] = 0
    with pytest.raises(InputError, match="expected a generator of the images' 3 classes, got a generator wi"):
        run(model)


def test_generator_of_other_classes_is_refused(run):
    with pytest.raises(InputError, match=r"cat, dog, owl.*got images of left, right, even"):
        run(Painter(names=("cat", "dog", "owl")))


def test_images_without_classes_are_refused(run, few_images):
    few_images.class_names = None
    with pytest.raises(DataError, match="expected images with classes, got none"):
        run(Painter())


@pytest.mark.parametrize("size", [0, 5])
def test_size_beyond_the_smallest_class_is_refused(run, size):
    with pytest.raises(InputError, match=f"--utility-sizes {size}: expected 1 to 4, the training images of"):
        run(Painter(), images_per_class=(2, size))


def test_nothing_held_out_is_refused(run):
    split = SimpleNamespace(train_indices=np.arange(312), holdout_indices=np.arange(0))
    with pytest.raises(DataError, match="expected held-out images to test on, got none"):
        run(Painter(), split)
