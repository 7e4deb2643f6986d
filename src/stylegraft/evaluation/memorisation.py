"""Is the generator only copying? Fakes and held-out images, both beside the training images.

**Score.** How near an image is to its nearest training image, as a share of how near it is to the next nine.
A copy is near to one picture and not to the others; a smooth or dull picture is near to many, and is no copy.

A copy is near in plain distance as well. Noise is far from everything, yet least far from the dullest
picture, which the score alone would take for likeness.

**Calibration.** Held-out images were never seen, so whatever likeness they have to training images is chance
(or a near-duplicate in the set). Two thresholds are tried: what one held-out image in ten, and one in four,
falls below, in score and, apart from that, in distance; a fake has to be below both. The second finds copies
where many held-out images have near-duplicates of their own.

**Test.** If the generator is no closer to the training images than reality is, its fakes and the held-out
images come in random order of score. Then the number of fakes before the r-th lowest held-out image follows
the negative hypergeometric distribution, whatever the distribution of the scores. That gives an exact
p-value; leaving out fakes by their distance can only raise it. It is multiplied by four, for two thresholds
of two kinds of distance are tried.

Source: comparing distances to training and test images, Meehan et al. 2020; order statistics are textbook.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.stats

from stylegraft.errors import InputError
from stylegraft.evaluation.pixel_neighbours import pixel_neighbours
from stylegraft.metrics.checks import check_features
from stylegraft.metrics.pairwise import PointSet

NUM_NEIGHBOURS = 10
MIN_HOLDOUT = 20
"""With fewer held-out images even a full copier could not be told from chance with certainty."""

_STRICT, _LENIENT = 0.1, 0.25
_NUM_TESTS = 4
_COPIER_P, _SUSPICIOUS_P = 0.01, 0.05
_COPIER_SHARE = 0.5

Verdict = Literal["copier", "suspicious", "no sign of copying", "not calibrated"]


@dataclass(frozen=True)
class Neighbours:
    """What each image is nearest to among the training images.

    Attributes:
        scores: distance to the nearest as a share of the mean distance to the next nine, [n]; 0 is identity,
            about 0.9 is usual for images of their own.
        indices: the nearest training image, int64 [n].
        mirrored: whether it is the mirror image that is nearest, bool [n].
        distances: to the nearest, [n].
    """

    scores: np.ndarray
    indices: np.ndarray
    mirrored: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class Closeness:
    """Fakes against held-out images, by one kind of distance.

    Attributes:
        share: fakes whose score and distance are below the thresholds.
        expected_share: what it would be on average, at most, if fakes were like held-out images.
        copied_share: estimate of the share of fakes that are copies: what exceeds the expected share.
        p_value: chance of so many, were fakes like held-out images; already times four.
        threshold: score that few held-out images fall below.
    """

    share: float
    expected_share: float
    copied_share: float
    p_value: float
    threshold: float


@dataclass(frozen=True)
class Memorisation:
    """The verdict and what it rests on.

    Attributes:
        verdict: "copier": most fakes are copies; "suspicious": too many are close to be chance; "no sign of
            copying"; or "not calibrated": too few held-out images to say.
        sentence: the verdict in plain words.
        false_alarm_rate: how often at most a generator that does not copy would get this verdict or a worse
            one; None without such a verdict.
        pixels: None without calibration.
        features: likewise.
        pixel_neighbours: of the fakes.
        feature_neighbours: of the fakes.
        order: fakes, the most suspicious first, int64 [n]; for the picture of fakes beside their neighbours.
    """

    verdict: Verdict
    sentence: str
    false_alarm_rate: float | None
    pixels: Closeness | None
    features: Closeness | None
    pixel_neighbours: Neighbours
    feature_neighbours: Neighbours
    order: np.ndarray


def judge_memorisation(
    fake_pixels: Neighbours,
    fake_features: Neighbours,
    holdout_pixels: Neighbours | None,
    holdout_features: Neighbours | None,
    *,
    holdout_groups: np.ndarray | None = None,
) -> Memorisation:
    """Returns the verdict about a generator.

    Args:
        fake_pixels: neighbours of the fakes by `neighbours_by_pixels`.
        fake_features: by `neighbours_by_features`.
        holdout_pixels: neighbours of the held-out images, found among the same training images; None without.
        holdout_features: likewise.
        holdout_groups: source of each held-out image. One image of each source calibrates, because variants
            of one picture are no independent witnesses. None: each is its own source.
    """
    both_fake = (fake_pixels, fake_features)
    order = np.argsort(np.minimum(fake_pixels.scores, fake_features.scores), kind="stable")
    parts = {"pixel_neighbours": fake_pixels, "feature_neighbours": fake_features, "order": order}
    if holdout_pixels is None or holdout_features is None:
        return Memorisation("not calibrated", _not_calibrated(0), None, None, None, **parts)
    witnesses = np.arange(len(holdout_pixels.scores))
    if holdout_groups is not None:
        witnesses = np.unique(holdout_groups, return_index=True)[1]
    if len(witnesses) < MIN_HOLDOUT:
        return Memorisation("not calibrated", _not_calibrated(len(witnesses)), None, None, None, **parts)
    tests = [
        [compare_closeness(fake, part_of(holdout, witnesses), share) for share in (_STRICT, _LENIENT)]
        for fake, holdout in zip(both_fake, (holdout_pixels, holdout_features))
    ]
    copied = [
        test
        for test in (*tests[0], *tests[1])
        if test.p_value <= _COPIER_P and test.copied_share >= _COPIER_SHARE
    ]
    # Dull pictures come a little closer to everything. Only close likeness is worth a look, so the lenient
    # threshold has no say in a mere suspicion.
    strict = min((tests[0][0], tests[1][0]), key=lambda test: test.p_value)
    if copied:
        verdict, rate = "copier", _COPIER_P
        clearest = max(copied, key=lambda test: test.copied_share)
        sentence = f"The generator copies its training images: {_in_words(clearest)}."
    elif strict.p_value <= _SUSPICIOUS_P:
        verdict, rate = "suspicious", _SUSPICIOUS_P
        sentence = f"Some fakes may be copies: {_in_words(strict)}. Look at them beside their nearest images."
    else:
        verdict, rate = "no sign of copying", None
        sentence = f"No sign of copying: {_in_words(strict)}, which chance explains."
    pixels, features = (max(pair, key=lambda test: test.copied_share) for pair in tests)
    return Memorisation(verdict, sentence, rate, pixels, features, **parts)


def neighbours_by_pixels(images: np.ndarray, train: np.ndarray) -> Neighbours:
    """Returns the nearest training image of each, by pixels, past slight crops, noise and mirroring.

    Args:
        images: uint8 [n, H, W, C].
        train: uint8 [N, H, W, C]; at least 3.

    Raises:
        InputError: fewer than three training images.
    """
    found = pixel_neighbours(images, train, _num_neighbours(len(train)))
    nearest = found.indices[:, 0], found.mirrored[:, 0], found.distances[:, 0]
    return Neighbours(_scores(found.distances), *nearest)


def neighbours_by_features(
    features: np.ndarray, train: np.ndarray, train_mirrored: np.ndarray | None = None
) -> Neighbours:
    """Returns the nearest training image of each, by features.

    Args:
        features: of the images, [n, dim].
        train: of the training images, [N, dim]; at least 3.
        train_mirrored: of their mirror images, in the same order; None: mirroring is not looked for.

    Raises:
        InputError: fewer than three training images.
    """
    num = _num_neighbours(len(train))
    check_features("nearest neighbours", at_least=1, training=train, compared=features)
    images = PointSet(features, "single")
    distances = images.distances_to(PointSet(train, "single"))
    mirrored = np.zeros(distances.shape, bool)
    if train_mirrored is not None:
        other = images.distances_to(PointSet(train_mirrored, "single"))
        mirrored = other < distances
        distances = np.minimum(distances, other)
    order = np.argsort(distances, axis=1, kind="stable")[:, :num]
    nearest = order[:, 0]
    scores = _scores(np.take_along_axis(distances, order, axis=1))
    rows = np.arange(len(nearest))
    return Neighbours(scores, nearest, mirrored[rows, nearest], distances[rows, nearest])


def part_of(neighbours: Neighbours, rows: np.ndarray | slice) -> Neighbours:
    """Returns the neighbours of some of the images."""
    return Neighbours(*(values[rows] for values in vars(neighbours).values()))


def compare_closeness(fakes: Neighbours, holdout: Neighbours, holdout_share: float) -> Closeness:
    """Returns how fakes compare with held-out images; see the module for the test.

    Args:
        fakes: neighbours of the fakes.
        holdout: of the held-out images, among the same training images.
        holdout_share: of held-out images below the threshold; at least 1 / (H + 1).
    """
    num_fake, num_holdout = len(fakes.scores), len(holdout.scores)
    rank = int(holdout_share * (num_holdout + 1))
    threshold = np.sort(holdout.scores)[rank - 1]
    near = np.sort(holdout.distances)[rank - 1]
    # Ties count for the generator, so that the p-value errs on the safe side.
    below = int(((fakes.scores < threshold) & (fakes.distances < near)).sum())
    expected = rank / (num_holdout + 1)
    share = below / num_fake
    chance = scipy.stats.nhypergeom(num_fake + num_holdout, num_fake, rank).sf(below - 1)
    return Closeness(
        share=share,
        expected_share=expected,
        copied_share=max(0.0, (share - expected) / (1 - expected)),
        p_value=min(1.0, _NUM_TESTS * float(chance)),
        threshold=float(threshold),
    )


def _num_neighbours(num_train: int) -> int:
    if num_train < 3:
        raise InputError(f"memorisation: expected at least 3 training images, got {num_train}. Give more.")
    return min(NUM_NEIGHBOURS, num_train)


def _scores(distances: np.ndarray) -> np.ndarray:
    """Returns nearest distance / mean of the others, from sorted distances [n, K]."""
    others = distances[:, 1:].mean(axis=1)
    # Ten identical training images are all equally near: nothing stands out.
    return np.divide(distances[:, 0], others, out=np.ones_like(others), where=others > 0)


def _in_words(test: Closeness) -> str:
    return (
        f"{as_percent(test.share)} of the fakes are closer to a training image than "
        f"{as_percent(1 - test.expected_share)} of the held-out images are"
    )


def as_percent(share: float) -> str:
    """Returns a share as it stands in sentences."""
    return f"{100 * share:.0f} %"


def _not_calibrated(num: int) -> str:
    return (
        f"No verdict on copying: it needs at least {MIN_HOLDOUT} held-out images of different sources, and "
        f"there are {num}. Look at the fakes beside their nearest training images."
    )
