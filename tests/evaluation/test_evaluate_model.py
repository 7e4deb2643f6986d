import json

import numpy as np
import pytest

from stylegraft.errors import DataError, InputError
from stylegraft.evaluation import evaluate_model
from stylegraft.evaluation.evaluate import num_fakes_for
from stylegraft.evaluation.report_data import pictures_of

ROWS = {"fd_heldout", "kd_heldout", "fd_train", "kd_train", "precision", "recall", "density", "coverage"}


class TinyModel:
    def __init__(self, array, c_dim=0):
        self.array, self.info = array, {"c_dim": c_dim}
        self.calls = []

    def sample(self, seeds, psi=0.7, cutoff=None, labels=None):
        self.calls.append((list(seeds), psi, labels))
        return self.array[np.asarray(seeds) % len(self.array)]


@pytest.fixture
def model(draw):
    return TinyModel(draw(1, 200))


@pytest.fixture
def measure(images, split, network, cache):
    def run(model, num=60, **options):
        return evaluate_model(model, images, split=split, num=num, network=network, cache=cache, **options)

    return run


def test_result_names_everything_it_depends_on(model, images, measure):
    result = measure(model, seed=7, psi=0.9)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert "FID" not in json.dumps(result)
    assert result["features"] == {
        "network": "tiny",
        "dim": 16,
        "sha256": "0" * 64,
        "is_published": False,
        "precision": "fp32",
    }
    expected = {"name": "default", "num": 60, "seed": 7, "psi": 0.9, "num_train": 90, "num_heldout": 30}
    assert expected.items() <= result["settings"].items()
    assert result["settings"]["content_hash"] == images.content_hash
    assert set(result["metrics"]) == ROWS
    # A number of other features is not called FD-EffLite0.
    assert result["settings"]["distance"] == "FD-tiny"
    assert result["metrics"]["fd_heldout"]["name"] == "FD-tiny to held-out images"
    assert result["metrics"]["kd_train"]["name"] == "KD-tiny to training images"
    first, *others = model.calls
    assert first[0] == [7], "one picture is made before all others, to compare shapes"
    assert [seed for seeds, _, _ in others for seed in seeds] == list(range(7, 67))
    assert {psi for _, psi, _ in model.calls} == {0.9}


def test_rows_hold_value_interval_and_what_real_images_score(model, measure):
    rows = measure(model)["metrics"]
    for name, row in rows.items():
        assert row["low"] <= row["value"] <= row["high"]
        assert row["standard_error"] > 0
        assert (row["real_level"] is None) == (name in ("fd_train", "kd_train"))
    assert (rows["fd_heldout"]["num_real"], rows["fd_train"]["num_real"]) == (30, 90)
    assert "60 training images" in rows["fd_heldout"]["real_level"]["how"]
    # The fakes are drawn as the real images are, so that they score about what those do.
    assert rows["fd_heldout"]["value"] < 2 * rows["fd_heldout"]["real_level"]["value"]
    assert rows["coverage"]["value"] > 0.7 * rows["coverage"]["real_level"]["value"]


def test_distance_of_training_images_as_fakes_is_the_real_level(images, measure):
    row = measure(TinyModel(images.array[:90]), num=90)["metrics"]["fd_heldout"]
    assert row["value"] == pytest.approx(row["real_level"]["value"], rel=1e-12)


def test_same_request_gives_the_same_numbers_without_looking_at_images_again(model, network, measure):
    first = measure(model)
    seen = network.num_images
    again = measure(model)
    assert network.num_images - seen == 60, "the fakes; real features come from the cache"
    first.pop("seconds"), again.pop("seconds")
    assert first == again


def test_every_image_is_seen_once(model, network, measure):
    measure(model)
    assert network.num_images == 60 + 2 * 90 + 30


def test_copier_is_found_and_shown_beside_what_it_copies(images, split, measure):
    random = np.random.RandomState(0)
    copies = images.array[:60] + random.randint(0, 3, images.array[:60].shape).astype(np.uint8)
    copies[::2] = copies[::2, :, ::-1]
    model = TinyModel(copies)
    result = measure(model)
    assert result["memorisation"]["verdict"] == "copier"
    assert result["memorisation"]["false_alarm_rate"] == 0.01
    for row in result["samples"]["suspicious"]:
        assert row["index"] == row["seed"]
        assert row["name"] == f"{row['index']}.png"
        assert row["mirrored"] == (row["seed"] % 2 == 0)
    pictures = pictures_of(result, model, images, split.train_indices)
    difference = pictures["suspicious"].astype(int) - pictures["nearest"]
    assert np.abs(difference).max() <= 2
    assert len(pictures["suspicious"]) == len(result["samples"]["suspicious"]) == 12


def test_collapse_shows_in_coverage_and_duplicates(model, draw, measure):
    many = measure(model, num=90)
    few = measure(TinyModel(draw(1, 5)), num=90)
    assert few["metrics"]["coverage"]["value"] < 0.5 * many["metrics"]["coverage"]["value"]
    assert few["duplicates"]["num_distinct"] == 5
    assert many["duplicates"]["num_distinct"] > 50


def test_best_and_worst_are_told_apart(draw, measure):
    mixed = np.concatenate([draw(1, 30), draw(2, 30, brightness=60)])
    samples = measure(TinyModel(mixed))["samples"]
    assert len(samples["best"]) == len(samples["worst"]) == 12
    assert max(samples["best"]) < 30 <= min(samples["worst"])


def test_variants_of_one_picture_count_as_one_neighbour(images, split, model, network, cache):
    class Variants(type(images)):
        @property
        def names(self):
            return [f"picture{index // 3}_crop{index % 3}.png" for index in range(len(self.array))]

    random = np.random.RandomState(0)
    pictures = np.repeat(images.array[:40], 3, axis=0)
    variants = Variants(pictures + random.randint(0, 3, pictures.shape).astype(np.uint8))
    rows = evaluate_model(model, variants, split=split, num=60, network=network, cache=cache)["metrics"]
    # 90 training images are 30 pictures. Were their twins neighbours, nothing else would be near anything.
    assert rows["coverage"]["num_real"] == 30
    assert rows["coverage"]["value"] > 0.3
    assert rows["fd_train"]["num_real"] == 90


def test_labels_follow_the_real_ones_and_their_images(model, images, measure):
    classes = np.array([0] * 90 + [1] * 20 + [2] * 10)
    images.labels = np.eye(3, dtype=np.float32)[classes]
    result = measure(model, num=400, seed=3)
    labels = np.concatenate([labels for _, _, labels in model.calls[1:]])
    assert all(len(seeds) == len(labels) for seeds, _, labels in model.calls)
    # 400 draws at 3/4, 1/6 and 1/12: four standard deviations are at most 0.09.
    np.testing.assert_allclose(labels.mean(axis=0), [3 / 4, 1 / 6, 1 / 12], atol=0.09)
    assert result["settings"]["labels"] == "drawn from the real images"
    images.labels = None
    model.calls.clear()
    assert measure(model)["settings"]["labels"] == "none"
    assert all(labels is None for _, _, labels in model.calls)


def test_other_classes_than_the_models_are_refused_and_fewer_are_not_asked_for(images, draw, measure):
    images.labels = np.eye(2, dtype=np.float32)[np.arange(120) % 2]
    with pytest.raises(InputError, match="expected the 3 classes of the generator, got 2"):
        measure(TinyModel(draw(2, 60), c_dim=3), num=40)
    assert measure(TinyModel(draw(2, 60), c_dim=2), num=40)["metrics"]
    images.labels = None
    assert measure(TinyModel(draw(2, 60), c_dim=3), num=40)["settings"]["labels"] == "none"


@pytest.mark.parametrize("psi", [float("nan"), -0.1, 2.1])
def test_psi_without_meaning_is_refused(draw, measure, psi):
    with pytest.raises(InputError, match="--psi"):
        measure(TinyModel(draw(2, 60)), num=40, psi=psi)


@pytest.mark.parametrize("seed", [-1, 2**32 - 39])
def test_seeds_that_nobody_has_are_refused(draw, measure, seed):
    with pytest.raises(InputError, match="--first-seed: expected 0 to 4294967256"):
        measure(TinyModel(draw(2, 60)), num=40, seed=seed)


def test_nothing_held_out_is_said_and_still_measured(model, split, measure):
    split.holdout_indices, split.note = np.arange(0), "nothing is held out: 90 images are few."
    result = measure(model, num=40)
    assert set(result["metrics"]) == ROWS - {"fd_heldout", "kd_heldout"}
    assert result["metrics"]["fd_train"]["value"] > 0
    assert result["memorisation"]["verdict"] == "not calibrated"
    assert result["notes"][0] == split.note


def test_notes_say_what_few_samples_do(model, measure):
    few = " ".join(measure(model, num=16)["notes"])
    assert "biased upwards with few samples (16 against 16 features)" in few
    assert "too few images to rank" in few
    assert "precision, recall, density and coverage are left out" in few
    assert "biased" not in " ".join(measure(model, num=60)["notes"])


def test_three_fakes_have_values_without_intervals(model, measure):
    result = measure(model, num=3)
    row = result["metrics"]["fd_heldout"]
    assert row["value"] > 0
    assert row["low"] is row["high"] is row["standard_error"] is None
    assert result["duplicates"] is None
    assert "too few images for intervals." in result["notes"]


def test_large_sets_are_thinned_out_and_that_is_said(model, images, measure):
    result = measure(model, max_real=40)
    assert result["settings"]["num_train"] == 40
    assert len(set(images.asked)) == 40 + 30
    assert "40 of 90 training images" in result["notes"][-1]


@pytest.mark.parametrize("mirror", [False, True])
def test_progress_ends_at_the_total_also_from_the_cache(model, measure, mirror):
    for _ in range(2):
        seen: list[tuple[int, int]] = []
        measure(model, num=50, mirror=mirror, progress=lambda *numbers, seen=seen: seen.append(numbers))
        done, totals = zip(*seen)
        assert list(done) == sorted(done)
        assert len(set(totals)) == 1
        assert done[-1] == totals[0]


def test_mirror_makes_both_sides_equal(model, draw, measure):
    mirrored = TinyModel(draw(1, 200)[:, :, ::-1])
    plain = [measure(side)["metrics"]["fd_train"]["value"] for side in (model, mirrored)]
    both = [measure(side, mirror=True)["metrics"]["fd_train"]["value"] for side in (model, mirrored)]
    assert plain[1] > 2 * plain[0]
    assert both[1] == pytest.approx(both[0], rel=1e-6)


def test_damaged_cache_is_measured_again(model, cache, measure):
    first = measure(model)
    for path in cache.folder.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert measure(model)["metrics"] == first["metrics"]


def test_single_images_are_refused_before_any_work(model, split, measure):
    with pytest.raises(InputError, match="at least 2 generated"):
        measure(model, num=1)
    split.holdout_indices = split.holdout_indices[:1]
    with pytest.raises(DataError, match="got 90 and 1"):
        measure(model)
    split.train_indices, split.holdout_indices = split.train_indices[:1], np.arange(0)
    with pytest.raises(DataError, match="got 1 and 0"):
        measure(model)
    assert model.calls == []


def test_other_size_or_channels_are_refused_after_one_picture(draw, measure):
    for array in (draw(1, 9).repeat(3, axis=3), draw(1, 9).repeat(2, axis=1)):
        model = TinyModel(array)
        with pytest.raises(InputError, match="got 8x8x1"):
            measure(model)
        assert len(model.calls) == 1


@pytest.mark.parametrize(("num_train", "expected"), [(30, 250), (900, 900), (60_000, 2000)])
def test_sensible_number_of_fakes_follows_the_training_images(num_train, expected):
    assert num_fakes_for(num_train) == expected
