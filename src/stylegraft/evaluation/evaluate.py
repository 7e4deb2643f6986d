"""`stylegraft evaluate`: how near a model comes to the images it learnt from, and to those it never saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from stylegraft.errors import DataError
from stylegraft.evaluation.distance import check_num_fakes, measure_floor
from stylegraft.evaluation.statistics import (
    Orientation,
    RealImages,
    RealStatistics,
    choose,
    measure_samples,
    num_passes,
)
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.features.registry import FeatureNetwork, feature_network
from stylegraft.metrics.frechet import stats_distance
from stylegraft.metrics.settings import FD_EFFLITE0

_SCHEMA_VERSION = 1


class SampledModel(Protocol):
    """What is needed of `stylegraft.Model`."""

    def sample(
        self, seeds: Sequence[int], psi: float = ..., *, labels: np.ndarray | None = ...
    ) -> np.ndarray:
        """Returns uint8 [n, H, W, C]; labels are float32 [n, c_dim], ignored by a model without classes."""
        ...


class LabelledImages(RealImages, Protocol):
    """What is needed of an image set here."""

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
    num: int,
    seed: int = 0,
    psi: float = 1.0,
    mirror: bool = False,
    network: FeatureNetwork | None = None,
    cache: StatsCache | None = None,
    max_real: int = 10_000,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Returns the distances of a model to training and held-out images, ready for JSON.

    Args:
        model: samples pictures by seed.
        image_set: the real images.
        split: which of them training saw.
        num: generated images.
        seed: they are made of seeds seed, seed + 1, ..., seed + num - 1; their labels are drawn with it from
            the labels of the real images.
        psi: truncation of the samples; 1 is none.
        mirror: the real statistics include mirror images, as training did.
        network: takes the features; None: the one that the setting names.
        cache: for real statistics; None: in the user's cache folder.
        max_real: more real images than this (on either side of the split) are thinned out by a fixed draw.
        progress: called with images done and images in all.

    Returns:
        `distances` has "train" and "heldout" (None without held-out images), each with value and counts;
        `floor` is what real training images score against the held-out ones in place of the fakes.

    Raises:
        InputError: `num` is below 2.
        DataError: fewer than two training images, or a single held-out one.
    """
    check_num_fakes(num)
    train, holdout = choose(split.train_indices, max_real), choose(split.holdout_indices, max_real)
    if len(train) < 2 or len(holdout) == 1:
        raise DataError(
            f"{FD_EFFLITE0.name}: expected at least 2 images to train on and none or at least 2 held out, "
            f"got {len(train)} and {len(holdout)}. Give more images."
        )
    start = time.perf_counter()
    network = network or feature_network(FD_EFFLITE0.feature_network)
    orientation: Orientation = "both" if mirror else "as_is"
    stand_ins = min(num, len(split.train_indices)) if len(holdout) else 0
    total = num + num_passes(train, orientation) + stand_ins + 2 * num_passes(holdout, orientation)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    labels = _draw_labels(image_set.labels, num, seed)

    def sample(first: int, count: int) -> np.ndarray:
        some_labels = None if labels is None else labels[first : first + count]
        return model.sample(range(seed + first, seed + first + count), psi, labels=some_labels)

    fakes = measure_samples(sample, num, network, advance)
    real = RealStatistics(image_set, network, cache or StatsCache())

    def distance_to(indices: np.ndarray) -> dict[str, Any]:
        value = stats_distance(fakes, real.measure(indices, orientation, advance), FD_EFFLITE0.ddof)
        return {"value": value, "num_real": len(indices), "num_fake": num}

    distances = {"train": distance_to(train), "heldout": distance_to(holdout) if len(holdout) else None}
    floor = None
    if len(holdout):
        measured = measure_floor(real, split.train_indices, holdout, num, mirror=mirror, advance=advance)
        floor = {"value": measured.value, "num_train": measured.num_train, "num_heldout": len(holdout)}
    return {
        "schema_version": _SCHEMA_VERSION,
        "metric": FD_EFFLITE0.name,
        "distances": distances,
        "floor": floor,
        "features": {"network": network.name, "dim": network.dim, "sha256": network.sha256},
        "settings": {
            "num": num,
            "seed": seed,
            "psi": psi,
            "mirror": mirror,
            "max_real": max_real,
            "labels": "none" if labels is None else "drawn from the real images",
            "content_hash": image_set.content_hash,
        },
        "notes": _notes(network.dim, num, len(train), len(holdout), split.note),
        "seconds": time.perf_counter() - start,
    }


def _draw_labels(labels: np.ndarray | None, num: int, seed: int) -> np.ndarray | None:
    if labels is None:
        return None
    return labels[np.random.RandomState(seed).randint(len(labels), size=num)]


def _notes(dim: int, num: int, num_train: int, num_holdout: int, split_note: str | None) -> list[str]:
    notes = [split_note] if split_note else []
    fewest = min(count for count in (num, num_train, num_holdout) if count)
    if fewest <= dim:
        notes.append(
            f"the distance is biased upwards with few samples ({fewest} against {dim} features): "
            "compare it with the floor, and with other models at equal counts only."
        )
    return notes
