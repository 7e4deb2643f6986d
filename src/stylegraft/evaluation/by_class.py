"""`stylegraft evaluate --by-class`: are generated images of a class what was asked for, rare classes too?

A classifier that was trained on real images looks at generated images of each class, equally many of every
one. It sees features of the frozen network, and each class as often as any other, since otherwise it would
itself take rare things for common ones. Real held-out images tell how far it can be trusted.

Distance, precision and coverage of a class compare its fakes with its own training images, thinned out to the
number of its fakes: what they say of a class of 20 images is said of 20, and they say how many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from stylegraft.data.split import group_keys
from stylegraft.errors import DataError
from stylegraft.evaluation.classes import ClassifiedImages, ConditionalModel, classes_of, one_hot
from stylegraft.evaluation.passes import RealFeatures, check_same_shape
from stylegraft.evaluation.small_set import (
    MIN_FOR_NEIGHBOURS,
    RealSide,
    interval_values,
    measure_neighbours,
)
from stylegraft.evaluation.statistics import BATCH, choose
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.evaluation.utility import linear_classifier
from stylegraft.evaluation.utility_run import TrainedOn
from stylegraft.features.registry import FeatureNetwork, feature_network
from stylegraft.metrics.intervals import MIN_UNITS
from stylegraft.metrics.kid import kid, kid_interval
from stylegraft.metrics.settings import FD_EFFLITE0

FLAG = "--by-class"
FEW_IMAGES = 50
"""Training images of a class below which its numbers are to be taken as hints."""

_SCHEMA_VERSION = 1
_MOST_EACH, _FEWEST_EACH, _SENSIBLE_IN_ALL = 200, 50, 1000
_NUM_SHOWN = 10
_NUM_CONFUSIONS = 3


def measure_by_class(
    model: ConditionalModel,
    image_set: ClassifiedImages,
    split: TrainedOn,
    *,
    num_each: int | None = None,
    psi: float = 1.0,
    seed: int = 0,
    mirror: bool = False,
    max_real: int = 5000,
    network: FeatureNetwork | None = None,
    cache: StatsCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Returns what there is to say of each class, ready for JSON.

    Args:
        model: generates images by class.
        image_set: real images with classes.
        split: which of them the model learnt from.
        num_each: generated images of each class; None: 1,000 in all, but from 50 to 200.
        psi: truncation of the generated images.
        seed: those of the first class are made of this seed and the following ones, and so on.
        mirror: training mirrors its images.
        max_real: more real images than this (on either side of the split) are thinned out by a fixed draw.
        network: takes the features; None: that of FD-EffLite0.
        cache: for features of real images; None: in the user's cache folder.
        progress: called with images seen and images in all.

    Returns:
        "rows", one a class: "class", "num_train", "share", "num_heldout", "num_fake"; "agreement", the share
        of its fakes that the classifier takes for it, with interval; "taken_for", the commonest other
        answers; "heldout_right" of "num_heldout" real images; "kd" and, with 24 training images or more,
        "precision" and "coverage" as `small_set` has them; "seeds" to show. Beside them "agreement" (the mean
        over classes), "heldout_agreement" (likewise, None without held-out images), "sentence", "notes".

    Raises:
        InputError: the model has no classes or others than the images, or makes images of another shape.
        DataError: the images have no classes, or fewer than two classes have training images.
    """
    start = time.perf_counter()
    names, classes = classes_of(model, image_set, FLAG)
    train, heldout = choose(split.train_indices, max_real), choose(split.holdout_indices, max_real)
    present = [index for index in range(len(names)) if (classes[train] == index).any()]
    if len(present) < 2:
        raise DataError(f"{FLAG}: expected training images of at least 2 classes, got {len(present)}.")
    if num_each is None:
        num_each = min(max(_SENSIBLE_IN_ALL // len(present), _FEWEST_EACH), _MOST_EACH)
    network = network or feature_network(FD_EFFLITE0.feature_network)
    first_fake = model.sample([seed], psi, labels=one_hot(np.array(present[:1]), len(names)))
    check_same_shape(first_fake, image_set.pixels(train[:1]))

    total = len(present) * num_each + (2 if mirror else 1) * len(train) + len(heldout)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    real = RealFeatures(image_set, network, cache or StatsCache())
    groups = np.array(group_keys(image_set.names))
    side = RealSide(
        real.measure(train, advance=advance),
        real.measure(train, mirrored=True, advance=advance) if mirror else None,
        groups[train],
    )
    heldout_features = real.measure(heldout, advance=advance)
    fakes = np.concatenate(
        [network(batch).numpy() for batch in _fakes(model, present, len(names), num_each, psi, seed, advance)]
    )
    told = _classify(side, classes[train], np.concatenate([fakes, heldout_features]), len(names))
    fakes_told, heldout_told = told[: len(fakes)], told[len(fakes) :]
    rows = []
    for place, index in enumerate(present):
        of_class = slice(place * num_each, (place + 1) * num_each)
        rows.append(
            {
                "class": names[index],
                "num_train": int((classes[train] == index).sum()),
                "share": float((classes[train] == index).mean()),
                "num_fake": num_each,
                **_answers(fakes_told[of_class], index, names),
                "num_heldout": int((classes[heldout] == index).sum()),
                "heldout_right": int((heldout_told[classes[heldout] == index] == index).sum()),
                **_likeness(fakes[of_class], side.part(np.flatnonzero(classes[train] == index)), mirror),
                "seeds": [seed + place * num_each + shown for shown in range(min(_NUM_SHOWN, num_each))],
            }
        )
    shares = [row["heldout_right"] / row["num_heldout"] for row in rows if row["num_heldout"]]
    return {
        "schema_version": _SCHEMA_VERSION,
        "kind": "by class",
        "rows": rows,
        "agreement": float(np.mean([row["agreement"]["value"] for row in rows])),
        "heldout_agreement": float(np.mean(shares)) if shares else None,
        "sentence": _sentence(rows),
        "notes": _notes(rows, [names[index] for index in range(len(names)) if index not in present]),
        "settings": {"num_each": num_each, "psi": psi, "seed": seed, "mirror": mirror, "max_real": max_real},
        "seconds": time.perf_counter() - start,
    }


def _fakes(
    model: ConditionalModel,
    present: Sequence[int],
    num_classes: int,
    num_each: int,
    psi: float,
    seed: int,
    advance: Callable[[int], None],
) -> Iterator[np.ndarray]:
    """Yields generated images, class after class, uint8 [n, H, W, C]."""
    asked = np.repeat(present, num_each)
    for begin in range(0, len(asked), BATCH):
        some = asked[begin : begin + BATCH]
        seeds = range(seed + begin, seed + begin + len(some))
        yield model.sample(seeds, psi, labels=one_hot(some, num_classes))
        advance(len(some))


def _classify(side: RealSide, classes: np.ndarray, features: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns the classes that a classifier of the real side sees, int [len(features)].

    Images of rare classes are repeated until all classes have equally many.
    """
    inputs = side.as_is if side.mirrored is None else np.concatenate([side.as_is, side.mirrored])
    answers = classes if side.mirrored is None else np.tile(classes, 2)
    members = [np.flatnonzero(answers == index) for index in np.unique(answers)]
    most = max(map(len, members))
    rows = np.concatenate([np.resize(some, most) for some in members])
    return linear_classifier(inputs[rows], answers[rows], features, num_classes=num_classes, seed=0)


def _answers(told: np.ndarray, index: int, names: Sequence[str]) -> dict[str, Any]:
    """Returns how many fakes of a class are taken for it, and what the others are taken for."""
    right = int((told == index).sum())
    interval = binomtest(right, len(told)).proportion_ci(method="wilson")
    counts = np.bincount(told, minlength=len(names))
    counts[index] = 0
    others = [other for other in np.argsort(-counts, kind="stable")[:_NUM_CONFUSIONS] if counts[other]]
    return {
        "agreement": {
            "value": right / len(told),
            "low": float(interval.low),
            "high": float(interval.high),
            "level": 0.95,
        },
        "taken_for": {names[other]: int(counts[other]) / len(told) for other in others},
    }


def _likeness(fakes: np.ndarray, side: RealSide, mirror: bool) -> dict[str, Any]:
    """Returns the kernel distance, precision and coverage of a class; None where images are too few.

    The Frechet distance is left out: at such counts it would measure the count.
    """
    side = side.part(choose(np.arange(len(side)), len(fakes)))
    once = side.one(mirror)
    distance = None
    if len(np.unique(side.groups)) >= MIN_UNITS and len(fakes) >= MIN_UNITS:
        distance = interval_values(kid_interval(once, fakes, real_groups=side.groups))
    elif min(len(once), len(fakes)) >= 2:
        distance = {"value": kid(once, fakes), "low": None, "high": None}
    neighbours = measure_neighbours(fakes, side, mirror=mirror)
    return {"kd": distance} | {name: neighbours.get(name) for name in ("precision", "coverage")}


def _sentence(rows: Sequence[dict[str, Any]]) -> str:
    mean = float(np.mean([row["agreement"]["value"] for row in rows]))
    worst = min(rows, key=lambda row: row["agreement"]["value"])
    sentence = (
        f"A classifier of real images takes {100 * mean:.0f} % of the generated images for the class that "
        f"was asked for (mean over {len(rows)} classes)"
    )
    if worst["agreement"]["value"] == 1:
        return f"{sentence}."
    sentence += (
        f"; fewest of {worst['class']!r} ({100 * worst['agreement']['value']:.0f} %, "
        f"{worst['num_train']:,} training images)"
    )
    other = next(iter(worst["taken_for"]))
    return f"{sentence}, which it most often takes for {other!r} instead."


def _notes(rows: Sequence[dict[str, Any]], absent: Sequence[str]) -> list[str]:
    notes = []
    if few := [row["class"] for row in rows if row["num_train"] < FEW_IMAGES]:
        notes.append(
            f"fewer than {FEW_IMAGES} training images of {', '.join(few)}: their distance, precision and "
            f"coverage are hints; below {MIN_FOR_NEIGHBOURS} sources the latter two are left out."
        )
    if few := [row["class"] for row in rows if row["num_heldout"] < 10]:
        notes.append(
            f"fewer than 10 held-out images of {', '.join(few)}: how far the classifier can be trusted there "
            "is hardly known."
        )
    if absent:
        notes.append(f"no training images of {', '.join(absent)}: left out.")
    return notes
