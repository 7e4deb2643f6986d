"""A run whose models get better and better, until they only replay training images."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from stylegraft.errors import CheckpointError, DataError, InputError
from stylegraft.evaluation import over_time
from stylegraft.evaluation.over_time import curves_of, evaluate_over_time

NUM_TRAIN, NUM_HOLDOUT = 60, 50


@pytest.fixture
def images(draw):
    array = draw(0, NUM_TRAIN + NUM_HOLDOUT)
    return SimpleNamespace(
        array=array,
        pixels=lambda indices: array[indices],
        names=[f"{index:03}.png" for index in range(len(array))],
        labels=None,
        content_hash="d" * 64,
    )


@pytest.fixture
def split():
    indices = np.arange(NUM_TRAIN + NUM_HOLDOUT)
    return SimpleNamespace(
        train_indices=indices[:NUM_TRAIN], holdout_indices=indices[NUM_TRAIN:], note="a note"
    )


@pytest.fixture
def entries(tmp_path):
    return [
        SimpleNamespace(path=tmp_path / f"kimg-{kimg}", step=kimg, info={"kimg": kimg})
        for kimg in (10, 20, 30, 40, 50)
    ]


@pytest.fixture
def run(tmp_path, monkeypatch, entries):
    """Checkpoints at 10 to 50 kimg, of which the last two replay training images; and a log."""
    monkeypatch.setattr(over_time, "list_checkpoints", lambda run: (entries, ["one is damaged"]))
    records = [
        {"kimg": 0, "loss_D": 1.0},
        {"kimg": 5, "distance": 9.0, "floor": 2.0},
        {"kimg": 8, "distance": 7},
    ]
    text = "\n".join(json.dumps(record) for record in records)
    (tmp_path / "log.jsonl").write_text(text + '\n{"kimg": 9, "dist')
    return tmp_path


@pytest.fixture
def evaluate(run, images, split, network, cache, draw):
    network.precision, network.is_published = "fp32", True

    def load(path):
        kimg = int(path.name.split("-")[1])

        def sample(seeds, psi, *, labels=None):
            if kimg >= 40:
                return images.array[np.asarray(seeds) % NUM_TRAIN]
            # Too bright at first.
            return np.concatenate([draw(1000 + seed, 1, brightness=30 - kimg) for seed in seeds])

        return SimpleNamespace(sample=sample, info={"c_dim": 0})

    def evaluate(**more):
        options = {"num": 100, "network": network, "cache": cache} | more
        return evaluate_over_time(run, images, options.pop("split", split), load, **options)

    return evaluate


def test_copying_marks_the_last_checkpoint_before(evaluate):
    seen = []
    result = evaluate(progress=lambda done, total: seen.append((done, total)))
    assert result["mark"] == {"kimg": 30.0, "checkpoint": "kimg-30", "why": "copying"}
    assert "copies training images after 30.0 kimg" in result["sentence"]
    assert [point["copier"]["outside_band"] for point in result["points"]] == [False] * 3 + [True] * 2
    assert seen[-1] == (610, 610)
    assert result["notes"] == ["a note", "one is damaged"]
    json.dumps(result)


def test_distances_fall_as_the_model_improves(evaluate):
    points = evaluate()["points"]
    heldout = [point["heldout"]["value"] for point in points]
    assert heldout[0] > heldout[1] > heldout[2]
    # Replayed training images are near those; coverage of them rises.
    assert points[3]["train"]["value"] < points[2]["train"]["value"]
    assert points[3]["coverage"]["value"] > points[0]["coverage"]["value"]


def test_untrained_networks_are_never_the_best(evaluate, entries):
    # Held to be the start: the third, the best that copies nothing.
    del entries[3:], entries[:1]
    entries.reverse()
    entries[0].step = 0
    result = evaluate()
    assert [point["step"] for point in result["points"]] == [0, 20]
    assert result["best"]["checkpoint"] == "kimg-20"
    assert result["mark"] is None
    # Networks that were trained before the run have a distance at its start.
    entries[0].info["distance"] = 50.0
    assert evaluate()["best"]["checkpoint"] == "kimg-30"


def test_curves_have_what_a_plot_needs(evaluate):
    curves = curves_of(evaluate())
    assert list(curves) == [
        "train distance",
        "held-out distance",
        "coverage",
        "copier share",
        "distance while training",
    ]
    assert curves["distance while training"] == {
        "kimg": [5.0, 8.0],
        "value": [9.0, 7.0],
        "low": None,
        "high": None,
    }
    for name in ("train distance", "copier share"):
        assert {len(column) for column in curves[name].values()} == {5}


def test_mirrored_runs_are_measured_from_both_sides(evaluate, network):
    evaluate(mirror=True)
    assert network.num_images == 2 * (NUM_TRAIN + NUM_HOLDOUT) + 5 * 100


def test_nothing_held_out_leaves_train_distance_only(evaluate):
    split = SimpleNamespace(
        train_indices=np.arange(NUM_TRAIN + NUM_HOLDOUT), holdout_indices=np.arange(0), note=None
    )
    result = evaluate(split=split)
    assert result["mark"] is None
    assert all(point["heldout"] is None and point["copier"] is None for point in result["points"])
    assert "held-out distance" not in curves_of(result)
    assert any("watch for copies" in note for note in result["notes"])


def test_run_without_checkpoints_is_refused(evaluate, monkeypatch):
    monkeypatch.setattr(over_time, "list_checkpoints", lambda run: ([], []))
    with pytest.raises(CheckpointError, match="expected checkpoints, found none"):
        evaluate()


def test_too_few_images_are_refused(evaluate):
    split = SimpleNamespace(train_indices=np.arange(3), holdout_indices=np.arange(0), note=None)
    with pytest.raises(DataError, match="at least 4 images to train on"):
        evaluate(split=split)


def test_one_fake_is_refused(evaluate):
    with pytest.raises(InputError, match="at least 2 generated images, got 1"):
        evaluate(num=1)
