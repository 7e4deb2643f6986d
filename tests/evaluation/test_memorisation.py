"""The bars of memorisation on real pictures: who copies is caught, who does not is left in peace.

One trial draws 60 fakes and 60 held-out pictures that calibrate. Scores against the training images are
computed once for all trials.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from copiers import CHANGES
from PIL import Image

from stylegraft.errors import InputError
from stylegraft.evaluation.duplicates import find_duplicates
from stylegraft.evaluation.memorisation import (
    Neighbours,
    compare_closeness,
    judge_memorisation,
    neighbours_by_features,
    neighbours_by_pixels,
    part_of,
)
from stylegraft.metrics import density_coverage, precision_recall

REFERENCE = Path(__file__).parents[1] / "reference" / "memorisation" / "emoji.npz"
NUM_TRIALS = 200
NUM_MODES = 20


@cache
def real():
    with np.load(REFERENCE) as file:
        arrays = dict(file)
    num = int(arrays["num_train"])
    features = arrays["features"].astype(np.float32)
    return {
        "train": arrays["pixels"][:num],
        "holdout": arrays["pixels"][num:],
        "train_features": features[:num],
        "holdout_features": features[num:],
        "mirrored_features": arrays["mirrored_features"].astype(np.float32),
        "more_features": arrays["more_features"].astype(np.float32),
        "repeated_features": arrays["repeated_features"].astype(np.float32),
    }


@cache
def pixels_of(kind):
    images = real()["holdout"]
    if kind in CHANGES:
        images = CHANGES[kind](real()["train"], np.random.RandomState(1))
    elif kind == "noise alone":
        images = np.random.RandomState(2).randint(0, 256, images.shape, np.uint8)
    elif kind == "blurred":
        small = [Image.fromarray(image).resize((8, 8), Image.Resampling.BOX) for image in images]
        images = np.stack([np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC)) for image in small])
    return neighbours_by_pixels(images, real()["train"])


@cache
def features_of(kind):
    return neighbours_by_features(
        real()[f"{kind}_features"], real()["train_features"], real()["mirrored_features"]
    )


def unremarkable(neighbours):
    """Neighbours that say nothing, to see what the other kind finds alone."""
    return replace(neighbours, scores=np.ones_like(neighbours.scores))


def verdicts(fake, holdout, *, by, num_calibrating=60, same_pool=False):
    random = np.random.RandomState(0)
    found = []
    for _ in range(NUM_TRIALS):
        order = random.permutation(len(holdout.scores))
        calibrating = part_of(holdout, order[:num_calibrating])
        chosen = order[num_calibrating:] if same_pool else random.permutation(len(fake.scores))[:60]
        sides = [part_of(fake, chosen), calibrating]
        quiet = [unremarkable(side) for side in sides]
        pairs = [sides, quiet] if by == "pixels" else [quiet, sides]
        memorisation = judge_memorisation(pairs[0][0], pairs[1][0], pairs[0][1], pairs[1][1])
        found.append(memorisation.verdict)
    return np.array(found)


@pytest.mark.parametrize("num_calibrating", [25, 60])
@pytest.mark.parametrize("kind", CHANGES)
def test_replaying_training_images_is_called_copying_in_95_percent(kind, num_calibrating):
    found = verdicts(pixels_of(kind), pixels_of("holdout"), by="pixels", num_calibrating=num_calibrating)
    assert (found == "copier").mean() >= 0.95


def test_features_alone_find_a_copier_too():
    # Crops and mirror images: white noise is not what features see past.
    crops = np.concatenate([np.arange(40, 80), np.arange(80, 120)])
    found = verdicts(part_of(features_of("repeated"), crops), features_of("holdout"), by="features")
    assert (found == "copier").mean() >= 0.95


@pytest.mark.parametrize("by", ["pixels", "features"])
def test_held_out_images_are_called_copies_in_at_most_5_percent(by):
    holdout = pixels_of("holdout") if by == "pixels" else features_of("holdout")
    found = verdicts(holdout, holdout, by=by, same_pool=True)
    assert (found == "copier").mean() <= 0.01
    assert (found != "no sign of copying").mean() <= 0.05


def test_held_out_images_pass_where_both_kinds_of_distance_have_a_say():
    pixels, features = pixels_of("holdout"), features_of("holdout")
    random, found = np.random.RandomState(0), []
    for _ in range(NUM_TRIALS):
        fakes, calibrating = np.split(random.permutation(len(pixels.scores)), 2)
        sides = (part_of(kind, chosen) for chosen in (fakes, calibrating) for kind in (pixels, features))
        found.append(judge_memorisation(*sides).verdict)
    assert np.mean([verdict == "copier" for verdict in found]) <= 0.01
    assert np.mean([verdict != "no sign of copying" for verdict in found]) <= 0.05


def test_blurred_images_of_their_own_are_not_called_copies():
    found = verdicts(pixels_of("blurred"), pixels_of("holdout"), by="pixels")
    assert (found == "copier").mean() <= 0.01


def test_noise_is_not_called_copies():
    # What an untrained generator makes: least far from the dullest training images, and from no other.
    noise, holdout = pixels_of("noise alone"), pixels_of("holdout")
    assert np.median(noise.scores) < np.quantile(holdout.scores, 0.25), "the score alone would be misled"
    found = verdicts(noise, holdout, by="pixels")
    assert (found != "no sign of copying").mean() <= 0.05


def test_collapsed_generator_shows_in_recall_and_coverage_by_a_factor_of_two():
    train = np.concatenate([real()["train_features"], real()["more_features"]])
    healthy = real()["holdout_features"]
    collapsed = real()["repeated_features"][: len(healthy)]
    assert precision_recall(train, healthy).recall > 2 * precision_recall(train, collapsed).recall
    assert density_coverage(train, healthy).coverage > 2 * density_coverage(train, collapsed).coverage


def test_collapsed_generator_repeats_itself_and_held_out_images_do_not():
    collapsed = real()["repeated_features"][40:]  # 20 modes, cropped, mirrored or both
    found = find_duplicates(collapsed, real()["train_features"])
    assert found.share > 0.5
    assert found.num_distinct < 0.7 * found.num_compared
    healthy = find_duplicates(real()["holdout_features"], real()["train_features"])
    assert healthy.share < 0.2
    assert healthy.num_distinct > 0.9 * healthy.num_compared
    assert healthy.expected_share <= 0.05


@pytest.mark.parametrize("kind", ["crop", "mirror", "all"])
def test_nearest_training_image_is_the_one_that_was_copied(kind):
    found = pixels_of(kind)
    assert (found.indices == np.arange(len(found.indices))).mean() > 0.95
    # Many emoji are nearly symmetric, so that the side can be anybody's guess.
    told = 0.7 if kind != "crop" else 0.0
    assert found.mirrored.mean() >= told


def test_order_puts_copies_first():
    holdout, copies = pixels_of("holdout"), pixels_of("noise")
    mixed = Neighbours(
        *(
            np.concatenate([getattr(holdout, name)[:50], getattr(copies, name)[:10]])
            for name in ("scores", "indices", "mirrored", "distances")
        )
    )
    found = judge_memorisation(
        mixed, unremarkable(mixed), part_of(holdout, slice(50, 90)), part_of(holdout, slice(50, 90))
    )
    assert set(found.order[:10]) == set(range(50, 60))


def test_few_held_out_sources_give_no_verdict():
    fake, holdout = pixels_of("noise"), pixels_of("holdout")
    without = judge_memorisation(fake, fake, None, None)
    assert (without.verdict, without.pixels, without.false_alarm_rate) == ("not calibrated", None, None)
    # 120 images, but variants of 15 pictures.
    grouped = judge_memorisation(fake, fake, holdout, holdout, holdout_groups=np.arange(120) % 15)
    assert grouped.verdict == "not calibrated"
    assert "there are 15" in grouped.sentence


def scored(scores):
    """Neighbours with these scores, whose distances are in the same order."""
    scores, zeros = np.asarray(scores), np.zeros(len(scores))
    return Neighbours(scores, zeros.astype(int), zeros.astype(bool), 2 * scores)


def test_p_value_is_exact_whatever_the_distribution():
    # By hand: 2 fakes, 9 held-out images, rank 1: both fakes lowest of all in 1 of (11 choose 2) orders.
    found = compare_closeness(scored([0.0, 0.1]), scored(np.arange(1.0, 10.0)), 0.1)
    assert found.p_value == pytest.approx(4 / 55)
    assert found.expected_share == pytest.approx(0.1)
    assert found.threshold == 1.0


def test_false_alarms_of_the_test_are_as_rare_as_stated():
    random = np.random.RandomState(0)
    p = [
        compare_closeness(scored(random.rand(50) ** 3), scored(random.rand(40) ** 3), 0.1).p_value / 4
        for _ in range(2000)
    ]
    # 2,000 trials of 5 %: standard deviation 0.5 %.
    assert 0.02 < np.mean(np.array(p) <= 0.05) < 0.065


def test_two_training_images_are_too_few():
    with pytest.raises(InputError, match="at least 3 training images, got 2"):
        neighbours_by_pixels(real()["holdout"][:1], real()["train"][:2])
