"""`stylegraft evaluate` with its default setting: quality, diversity and memorisation of a model.

The samples are generated once and seen by the feature network once; so are the real images, whose features
stay on disk. Every number comes from these features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from stylegraft.data.split import group_keys
from stylegraft.errors import DataError, InputError
from stylegraft.evaluation.distance import check_num_fakes
from stylegraft.evaluation.duplicates import find_duplicates
from stylegraft.evaluation.memorisation import (
    Memorisation,
    Neighbours,
    judge_memorisation,
    neighbours_by_features,
    neighbours_by_pixels,
)
from stylegraft.evaluation.passes import (
    Fakes,
    RealFeatures,
    check_same_shape,
    measure_fakes,
    small_pixels,
)
from stylegraft.evaluation.realism import realism
from stylegraft.evaluation.small_set import (
    MIN_FOR_NEIGHBOURS,
    RealSide,
    interval_of,
    measure_distances,
    measure_neighbours,
)
from stylegraft.evaluation.statistics import RealImages, SampleFakes, choose
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.registry import FeatureNetwork, feature_network
from stylegraft.metrics.ranking import too_small_to_rank
from stylegraft.metrics.settings import FD_EFFLITE0, small_set_distance

SCHEMA_VERSION = 2
MAX_REAL = 5000

_FEWEST_FAKES, _MOST_FAKES = 250, 2000
_MIN_FOR_DUPLICATES = 20
_MIN_FOR_LIKENESS = 4  # Training images: one, and its three nearest.
_NUM_SHOWN = 12
_COMPUTING = 40  # What each part after the pass counts in the progress, in images.


class SampledModel(Protocol):
    """What is needed of `stylegraft.Model`."""

    @property
    def info(self) -> dict[str, Any]:
        """Has "c_dim", the number of classes; 0: it has none."""
        ...

    def sample(
        self, seeds: Sequence[int], psi: float = ..., *, labels: np.ndarray | None = ...
    ) -> np.ndarray:
        """Returns uint8 [n, H, W, C]; labels are float32 [n, c_dim], ignored by a model without classes."""
        ...


class LabelledImages(RealImages, Protocol):
    """What is needed of an image set here."""

    @property
    def names(self) -> Sequence[str]:
        """File names, which tell the source of each image."""
        ...

    @property
    def labels(self) -> np.ndarray | None:
        """float32 [N, c_dim], or None."""
        ...


class HoldoutSplit(Protocol):
    """What is needed of `stylegraft.data.Split`."""

    @property
    def train_indices(self) -> np.ndarray:
        """Images that training saw."""
        ...

    @property
    def holdout_indices(self) -> np.ndarray:
        """Images that it did not; may be empty."""
        ...

    @property
    def note(self) -> str | None:
        """Why there are none, or what to know of them."""
        ...


def evaluate_model(
    model: SampledModel,
    image_set: LabelledImages,
    *,
    split: HoldoutSplit,
    num: int | None = None,
    seed: int = 0,
    psi: float = 1.0,
    mirror: bool = False,
    network: FeatureNetwork | None = None,
    cache: StatsCache | None = None,
    max_real: int = MAX_REAL,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Returns what there is to say of a model beside training and held-out images, ready for JSON.

    Args:
        model: samples pictures by seed.
        image_set: the real images.
        split: which of them training saw.
        num: generated images; None: see `num_fakes_for`.
        seed: they are made of seeds seed, seed + 1, ..., seed + num - 1; their labels are drawn with it from
            the labels of the real images.
        psi: truncation of the samples; 1 is none.
        mirror: training mirrors its images.
        network: takes the features, and names the distances; None: that of FD-EffLite0.
        cache: for real features; None: in the user's cache folder.
        max_real: more real images than this (on either side of the split) are thinned out by a fixed draw.
        progress: called with what is done and what there is in all, about in images.

    Returns:
        "metrics": rows by id, see `small_set`; "memorisation", "duplicates" (None with too few images),
        "samples": seeds of the fakes most and least like real images and of those nearest to training
        images; "features", "settings", "notes", "seconds".

    Raises:
        InputError: `num` is below 2, or the real images have another shape than the generated ones.
        DataError: fewer than two training images, or a single held-out one.
        CheckpointError: the model makes pictures that are not finite.
    """
    num = num_fakes_for(len(split.train_indices)) if num is None else num
    check_num_fakes(num)
    train, holdout = choose(split.train_indices, max_real), choose(split.holdout_indices, max_real)
    if len(train) < 2 or len(holdout) == 1:
        raise DataError(
            "real images: expected at least 2 images to train on and none or at least 2 held out, "
            f"got {len(train)} and {len(holdout)}. Give more images."
        )
    start = time.perf_counter()
    network = network or feature_network(FD_EFFLITE0.feature_network)
    distance = small_set_distance(network.name)
    total = num + 2 * len(train) + (2 if mirror else 1) * len(holdout) + 3 * _COMPUTING
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    sample = fakes_of(model, image_set.labels, num=num, seed=seed, psi=psi)
    check_same_shape(sample(0, 1), image_set.pixels(train[:1]))
    fakes = measure_fakes(sample, num, network, advance)
    real = RealFeatures(image_set, network, cache or StatsCache())
    groups = np.array(group_keys(image_set.names))

    def side(indices: np.ndarray, with_mirrored: bool) -> RealSide:
        as_is = real.measure(indices, advance=advance)
        mirrored = real.measure(indices, mirrored=True, advance=advance) if with_mirrored else None
        return RealSide(as_is, mirrored, groups[indices])

    # Copies are looked for among the mirror images too, whether training mirrors or not.
    train_side, holdout_side = side(train, True), side(holdout, mirror)
    metrics = measure_distances(fakes.features, train_side, holdout_side, setting=distance, mirror=mirror)
    advance(_COMPUTING)
    metrics |= measure_neighbours(fakes.features, train_side, mirror=mirror)
    advance(_COMPUTING)
    memorisation = _judge(image_set, fakes, train, holdout, train_side, holdout_side)
    duplicates = None
    if min(num, len(train)) >= _MIN_FOR_DUPLICATES:
        duplicates = asdict(find_duplicates(fakes.features, train_side.one(mirror)))
    sources = train_side.one_per_source().one(mirror)
    scores = realism(fakes.features, sources) if len(sources) >= _MIN_FOR_LIKENESS else None
    advance(_COMPUTING)
    return {
        "schema_version": SCHEMA_VERSION,
        "metrics": metrics,
        "memorisation": _memorisation_values(memorisation, len(train), len(holdout)),
        "duplicates": duplicates,
        "samples": {
            "seeds": list(range(seed, seed + min(num, 2 * _NUM_SHOWN))),
            **_extremes(scores, seed),
            "suspicious": _suspicious(memorisation, image_set.names, train, seed),
        },
        "features": describe_network(network),
        "settings": {
            "name": "default",
            "distance": distance.name,
            "num": num,
            "seed": seed,
            "psi": psi,
            "noise_mode": "const",
            "mirror": mirror,
            "num_train": len(train),
            "num_heldout": len(holdout),
            "max_real": max_real,
            "labels": "none" if image_set.labels is None else "drawn from the real images",
            "content_hash": image_set.content_hash,
        },
        "notes": _notes(metrics, distance.name, network.dim, split, train, holdout, num),
        "seconds": time.perf_counter() - start,
    }


def num_fakes_for(num_train: int) -> int:
    """Returns how many fakes are sensible: one for each training image, but from 250 to 2,000.

    With equal counts a distance can be compared with that of training images in place of the fakes. Fewer
    than 250 would make most of the noise themselves; beyond 2,000 the real images do.
    """
    return min(max(num_train, _FEWEST_FAKES), _MOST_FAKES)


def fakes_of(
    model: SampledModel, labels: np.ndarray | None, *, num: int, seed: int, psi: float, **options: Any
) -> SampleFakes:
    """Returns `sample(start, count)` for the pictures of seeds seed to seed + num - 1.

    Args:
        model: see `SampledModel`.
        labels: of the real images, [N, c_dim]; each fake has that of a real image drawn at random.
        num: how many will be asked for.
        seed: the first one.
        psi: truncation.
        **options: of `model.sample`.

    Raises:
        InputError: the model has other classes than the images, psi is outside 0 to 2, or a seed outside 0 to
            2^32 - 1.
    """
    c_dim = model.info["c_dim"]
    if c_dim and labels is not None and labels.shape[1] != c_dim:
        raise InputError(
            f"real images: expected the {c_dim} classes of the generator, got {labels.shape[1]}. Give images "
            "of the same classes, or --labels none to let the generator take each in turn."
        )
    if not 0 <= psi <= 2:
        raise InputError(f"--psi: expected 0 to 2, got {psi:g}. Give 1 for the full variety.")
    if not 0 <= seed <= 2**32 - num:
        raise InputError(f"--first-seed: expected 0 to {2**32 - num}, got {seed}. Give 0 if any will do.")
    drawn = labels_of_fakes(labels, num=num, seed=seed)

    def sample(start: int, count: int) -> np.ndarray:
        some = None if drawn is None else drawn[start : start + count]
        return model.sample(range(seed + start, seed + start + count), psi, labels=some, **options)

    return sample


def labels_of_fakes(labels: np.ndarray | None, *, num: int, seed: int) -> np.ndarray | None:
    """Returns labels [num, c_dim] drawn from those of real images, or None without any."""
    if labels is None:
        return None
    return labels[np.random.RandomState(seed).randint(len(labels), size=num)]


def describe_network(network: FeatureNetwork) -> dict[str, Any]:
    """Returns which network took the features, ready for JSON."""
    return {
        "network": network.name,
        "dim": network.dim,
        "sha256": network.sha256,
        "is_published": network.is_published,
        "precision": network.precision,
    }


def _judge(
    images: LabelledImages,
    fakes: Fakes,
    train: np.ndarray,
    holdout: np.ndarray,
    train_side: RealSide,
    holdout_side: RealSide,
) -> Memorisation | None:
    if len(train) < _MIN_FOR_LIKENESS:
        return None
    train_pixels = small_pixels(images, train)

    def by_features(features: np.ndarray) -> Neighbours:
        return neighbours_by_features(features, train_side.as_is, train_side.mirrored)

    of_holdout = None, None
    if len(holdout):
        pixels = neighbours_by_pixels(small_pixels(images, holdout), train_pixels)
        of_holdout = pixels, by_features(holdout_side.as_is)
    return judge_memorisation(
        neighbours_by_pixels(fakes.pixels, train_pixels),
        by_features(fakes.features),
        *of_holdout,
        holdout_groups=holdout_side.groups,
    )


def _memorisation_values(
    memorisation: Memorisation | None, num_train: int, num_holdout: int
) -> dict[str, Any] | None:
    if memorisation is None:
        return None
    return {
        "verdict": memorisation.verdict,
        "sentence": memorisation.sentence,
        "false_alarm_rate": memorisation.false_alarm_rate,
        "pixels": memorisation.pixels and asdict(memorisation.pixels),
        "features": memorisation.features and asdict(memorisation.features),
        "num_train": num_train,
        "num_heldout": num_holdout,
    }


def _suspicious(
    memorisation: Memorisation | None, names: Sequence[str], train: np.ndarray, seed: int
) -> list[dict[str, Any]]:
    """Returns the fakes nearest to a training image, each with that image by the nearer kind of distance."""
    if memorisation is None:
        return []
    found = []
    for fake in memorisation.order[:_NUM_SHOWN].tolist():
        kinds = {"pixels": memorisation.pixel_neighbours, "features": memorisation.feature_neighbours}
        kind, near = min(kinds.items(), key=lambda item: item[1].scores[fake])
        index = int(train[near.indices[fake]])
        found.append(
            {
                "seed": seed + fake,
                "score": float(near.scores[fake]),
                "by": kind,
                "index": index,
                "name": names[index],
                "mirrored": bool(near.mirrored[fake]),
            }
        )
    return found


def _extremes(scores: np.ndarray | None, seed: int) -> dict[str, list[int]]:
    if scores is None:
        return {"best": [], "worst": []}
    order = seed + np.argsort(-scores, kind="stable")
    num = min(_NUM_SHOWN, len(order) // 2)
    return {"best": order[:num].tolist(), "worst": order[::-1][:num].tolist()}


def _notes(
    metrics: dict[str, dict[str, Any]],
    distance: str,
    dim: int,
    split: HoldoutSplit,
    train: np.ndarray,
    holdout: np.ndarray,
    num: int,
) -> list[str]:
    notes = [split.note] if split.note else []
    fewest = min(count for count in (num, len(train), len(holdout)) if count)
    if fewest <= dim:
        notes.append(
            f"{distance} is biased upwards with few samples ({fewest:,} against {dim:,} features): "
            "compare it with what real images score, and with other models at equal counts only. "
            "KD has no such bias."
        )
    row = metrics.get("fd_heldout", metrics["fd_train"])
    interval = interval_of(row)
    if interval is None:
        notes.append("too few images for intervals.")
    elif warning := too_small_to_rank(interval, row["name"]):
        notes.append(warning)
    if "precision" not in metrics:
        notes.append(
            "precision, recall, density and coverage are left out: they need at least "
            f"{MIN_FOR_NEIGHBOURS} generated images and training images of as many sources."
        )
    if len(train) < len(split.train_indices):
        notes.append(
            f"{len(train):,} of {len(split.train_indices):,} training images were drawn at random; copies of "
            "others go unnoticed."
        )
    return notes
