import json

import numpy as np
import pytest

from stylegraft.errors import DataError, InputError
from stylegraft.evaluation import evaluate_model


class TinyModel:
    def __init__(self, array):
        self.array = array
        self.calls = []

    def sample(self, seeds, psi=0.7, cutoff=None, labels=None):
        self.calls.append((list(seeds), psi, labels))
        return self.array[np.asarray(seeds) % len(self.array)]


@pytest.fixture
def model(draw):
    return TinyModel(draw(1, 200))


def test_result_names_everything_it_depends_on(model, images, split, network, cache):
    result = evaluate_model(model, images, split=split, num=60, seed=7, psi=0.9, network=network, cache=cache)
    assert json.loads(json.dumps(result)) == result
    assert result["metric"] == "FD-EffLite0"
    assert "FID" not in json.dumps(result)
    assert result["features"] == {"network": "tiny", "dim": 16, "sha256": "0" * 64}
    assert result["settings"]["content_hash"] == images.content_hash
    assert {key: result["settings"][key] for key in ("num", "seed", "psi")} == {
        "num": 60,
        "seed": 7,
        "psi": 0.9,
    }
    assert {side: (d["num_real"], d["num_fake"]) for side, d in result["distances"].items()} == {
        "train": (90, 60),
        "heldout": (30, 60),
    }
    assert (result["floor"]["num_train"], result["floor"]["num_heldout"]) == (60, 30)
    assert [seed for seeds, _, _ in model.calls for seed in seeds] == list(range(7, 67))
    assert {psi for _, psi, _ in model.calls} == {0.9}


def test_same_request_gives_the_same_numbers(model, images, split, network, cache):
    first, second = (
        evaluate_model(model, images, split=split, num=60, network=network, cache=cache) for _ in range(2)
    )
    assert first["distances"]["train"]["value"] == pytest.approx(
        second["distances"]["train"]["value"], rel=1e-12
    )
    assert first["floor"]["value"] == pytest.approx(second["floor"]["value"], rel=1e-12)


def test_copier_is_nearer_to_training_than_to_heldout_images(images, split, network, cache):
    copier = TinyModel(images.array[:90])
    distances = evaluate_model(copier, images, split=split, num=90, network=network, cache=cache)["distances"]
    assert distances["train"]["value"] == pytest.approx(0, abs=1e-6)
    assert distances["heldout"]["value"] > 10


def test_labels_follow_the_real_ones_and_their_images(model, images, split, network, cache):
    classes = np.array([0] * 90 + [1] * 20 + [2] * 10)
    images.labels = np.eye(3, dtype=np.float32)[classes]
    result = evaluate_model(model, images, split=split, num=400, seed=3, network=network, cache=cache)
    labels = np.concatenate([labels for _, _, labels in model.calls])
    assert all(len(seeds) == len(labels) for seeds, _, labels in model.calls)
    # 400 draws at 3/4, 1/6 and 1/12: four standard deviations are at most 0.09.
    np.testing.assert_allclose(labels.mean(axis=0), [3 / 4, 1 / 6, 1 / 12], atol=0.09)
    assert result["settings"]["labels"] == "drawn from the real images"
    images.labels = None
    model.calls.clear()
    assert (
        evaluate_model(model, images, split=split, num=40, network=network, cache=cache)["settings"]["labels"]
        == "none"
    )
    assert all(labels is None for _, _, labels in model.calls)


def test_nothing_held_out_is_said_and_still_measured(model, images, split, network, cache):
    split.holdout_indices, split.note = np.arange(0), "nothing is held out: 90 images are few."
    result = evaluate_model(model, images, split=split, num=40, network=network, cache=cache)
    assert result["distances"]["heldout"] is None
    assert result["floor"] is None
    assert result["distances"]["train"]["value"] > 0
    assert result["notes"] == [split.note]


def test_few_samples_are_noted(model, images, split, network, cache):
    enough = evaluate_model(model, images, split=split, num=40, network=network, cache=cache)
    few = evaluate_model(model, images, split=split, num=16, network=network, cache=cache)
    assert enough["notes"] == []
    assert "biased" in few["notes"][0]


@pytest.mark.parametrize("mirror", [False, True])
def test_progress_ends_at_the_total_also_from_the_cache(model, images, split, network, cache, mirror):
    for _ in range(2):
        seen: list[tuple[int, int]] = []
        evaluate_model(
            model,
            images,
            split=split,
            num=50,
            mirror=mirror,
            network=network,
            cache=cache,
            progress=lambda *numbers, seen=seen: seen.append(numbers),
        )
        done, totals = zip(*seen)
        assert list(done) == sorted(done)
        assert len(set(totals)) == 1
        assert done[-1] == totals[0]


def test_damaged_cache_is_measured_again(model, images, split, network, cache):
    first = evaluate_model(model, images, split=split, num=40, network=network, cache=cache)
    for path in cache.folder.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again = evaluate_model(model, images, split=split, num=40, network=network, cache=cache)
    assert again["distances"] == first["distances"]


def test_single_images_are_refused_before_any_work(model, images, split, network, cache):
    with pytest.raises(InputError, match="at least 2 generated"):
        evaluate_model(model, images, split=split, num=1, network=network, cache=cache)
    split.holdout_indices = split.holdout_indices[:1]
    with pytest.raises(DataError, match="got 90 and 1"):
        evaluate_model(model, images, split=split, num=40, network=network, cache=cache)
    split.train_indices, split.holdout_indices = split.train_indices[:1], np.arange(0)
    with pytest.raises(DataError, match="got 1 and 0"):
        evaluate_model(model, images, split=split, num=40, network=network, cache=cache)
    assert model.calls == []
