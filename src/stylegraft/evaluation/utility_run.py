"""`--utility`: is a model's output of use to a classifier? From a model and an image set to the table.

Quick: logistic regression on features of a frozen network, minutes on a CPU. Full: a small network from
scratch on pixels, which is nearer to what people train and takes several times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from stylegraft.data.split import MIN_HOLDOUT_IMAGES, group_keys
from stylegraft.errors import DataError, InputError
from stylegraft.evaluation.classes import ClassifiedImages, ConditionalModel, classes_of, one_hot
from stylegraft.evaluation.passes import RealFeatures, check_same_shape
from stylegraft.evaluation.pixel_neighbours import resized
from stylegraft.evaluation.small_classifier import SmallClassifier, classical_augmentation
from stylegraft.evaluation.statistics import BATCH, RealImages, choose
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.evaluation.utility import (
    ARMS,
    Classifier,
    Draw,
    Examples,
    linear_classifier,
    measure_utility,
)
from stylegraft.features.registry import FeatureNetwork, feature_network
from stylegraft.metrics.settings import FD_EFFLITE0

_SCHEMA_VERSION = 1
_FULL_PX = 64

Setting = Literal["quick", "full"]
Progress = Callable[[int, int], None]

_ARM_NAMES = {
    "real": "real only",
    "real_augmented": "real + classical augmentation",
    "real_synthetic": "real + synthetic",
    "synthetic": "synthetic only",
}


class TrainedOn(Protocol):
    """What is needed of `stylegraft.data.Split`."""

    @property
    def train_indices(self) -> np.ndarray:
        """Images that the generator saw."""
        ...

    @property
    def holdout_indices(self) -> np.ndarray:
        """Images that it did not."""
        ...


def run_utility(
    model: ConditionalModel,
    image_set: ClassifiedImages,
    split: TrainedOn,
    *,
    setting: Setting = "quick",
    images_per_class: Sequence[int | None] = (None,),
    num_seeds: int = 3,
    num_extra: int = 1000,
    psi: float = 1.0,
    seed: int = 0,
    mirror: bool = False,
    max_real: int = 2000,
    network: FeatureNetwork | None = None,
    cache: StatsCache | None = None,
    num_steps: int = 1000,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Returns how well a classifier does with and without the model's images, ready for JSON.

    Args:
        model: generates images by class.
        image_set: real images with classes.
        split: which of them the model learnt from; the others are the test.
        setting: "quick" or "full"; see the module.
        images_per_class: numbers of real images a class to try; None: all there are.
        num_seeds: repetitions, each with generated images, augmentations and a start of its own.
        num_extra: generated images of a repetition, about; there are as many augmented ones, at least as
            many as real ones, and in the same proportion of classes.
        psi: truncation of the generated images; 1 is none.
        seed: the generated images are those of this seed and the following ones.
        mirror: classical augmentation mirrors too, as training may.
        max_real: more real images than this (on either side of the split) are thinned out by a fixed draw.
        network: takes the features of the quick setting; None: that of FD-EffLite0.
        cache: for features of real images; None: in the user's cache folder.
        num_steps: batches of 64 that the full setting trains.
        device: where it trains, "cpu" or "cuda".
        progress: called with what is done and what there is to do; images and trainings count alike.

    Returns:
        The fields of `UtilityResult` and what they depend on. "rows" has one entry an arm and size.

    Raises:
        InputError: the model has no classes, or others than the images; or a class is smaller than a size.
        DataError: the images have no classes, none are held out, or a class lacks images on one side.
    """
    start = time.perf_counter()
    class_names, classes = classes_of(model, image_set, "--utility")
    train, test = choose(split.train_indices, max_real), choose(split.holdout_indices, max_real)
    if not len(test):
        raise DataError(
            f"--utility: expected held-out images to test on, got none of {len(split.train_indices)} images. "
            f"Give at least {3 * MIN_HOLDOUT_IMAGES} images (fewer hold out none), and leave --holdout 0 out."
        )
    fewest = int(np.bincount(classes[train], minlength=len(class_names)).min())
    for size in images_per_class:
        if size is not None and not 1 <= size <= max(fewest, 1):
            raise InputError(
                f"--utility-sizes {size}: expected 1 to {fewest}, the training images of the smallest class. "
                "Ask for fewer."
            )
    one_fake = model.sample([seed], psi, labels=one_hot(classes[train[:1]], len(class_names)))
    check_same_shape(one_fake, image_set.pixels(train[:1]))
    copies = max(1, round(num_extra / len(train)))
    num_synthetic = copies * len(train)
    advance = _Steps(num_seeds * (2 * num_synthetic + len(images_per_class) * len(ARMS)), progress)

    def fakes(number: int) -> Iterator[np.ndarray]:
        first = seed + number * num_synthetic
        for begin in range(0, num_synthetic, BATCH):
            places = np.arange(begin, min(begin + BATCH, num_synthetic))
            labels = one_hot(classes[train[places % len(train)]], len(class_names))
            yield model.sample((first + places).tolist(), psi, labels=labels)

    def augmented(number: int) -> Iterator[np.ndarray]:
        for place, index in enumerate(np.array_split(train, -(-len(train) // BATCH))):
            # Seeds differ between batches and repetitions.
            some = image_set.pixels(index)
            yield classical_augmentation(some, copies, seed + number * len(train) + place, mirror=mirror)

    if setting == "quick":
        network = network or feature_network(FD_EFFLITE0.feature_network)
        real = RealFeatures(image_set, network, cache or StatsCache())
        view: _View = _Features(network, real.measure)
        classifier: Classifier = linear_classifier
    else:
        view = _Pixels(image_set)
        classifier = SmallClassifier(num_steps, device)
    train_inputs, test_inputs = view.of_reals(train), view.of_reals(test)

    def draw(number: int) -> Draw:
        copied = [_by_copy(batch, view, advance) for batch in augmented(number)]
        made = [view.of_pixels(batch, advance) for batch in fakes(number)]
        return Draw(
            real=Examples(train_inputs, classes[train]),
            augmented=np.concatenate(copied, axis=1),
            synthetic=Examples(np.concatenate(made), np.tile(classes[train], copies)),
        )

    result = measure_utility(
        classifier,
        draw,
        test=Examples(test_inputs, classes[test]),
        class_names=class_names,
        images_per_class=images_per_class,
        num_seeds=num_seeds,
        test_groups=np.unique(
            group_keys([image_set.names[int(index)] for index in test]), return_inverse=True
        )[1],
        progress=lambda done, total: advance(1),
    )
    return {
        "schema_version": _SCHEMA_VERSION,
        "kind": "usefulness",
        "setting": setting,
        **result.to_dict(),
        "class_names": class_names,
        "num_synthetic": num_synthetic,
        "copies": copies,
        "features": view.facts(),
        "settings": {
            "images_per_class": list(images_per_class),
            "num_extra": num_extra,
            "psi": psi,
            "seed": seed,
            "mirror": mirror,
            "max_real": max_real,
            "num_steps": num_steps if setting == "full" else None,
            "content_hash": image_set.content_hash,
        },
        "notes": _notes(images_per_class, fewest, len(train), len(test)),
        "seconds": time.perf_counter() - start,
    }


def utility_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the cells of the table, for a terminal or a page."""
    header = ["real images a class", "trained on", "images", "accuracy %", "gain, points", "macro F1"]
    rows = []
    for row in result["rows"]:
        rows.append(
            [
                "all" if row["images_per_class"] is None else str(row["images_per_class"]),
                _ARM_NAMES[row["arm"]],
                f"{row['num_train']:,}",
                _percent(row["accuracy"], ".1f"),
                "" if row["gain"] is None else _percent(row["gain"], "+.1f"),
                f"{row['macro_f1']['value']:.3f}",
            ]
        )
    return header, rows


def _percent(interval: dict[str, float], form: str) -> str:
    value, low, high = (format(100 * interval[name], form) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


class _View(Protocol):
    """What a classifier sees of images: features or pixels."""

    def of_reals(self, indices: np.ndarray, /) -> np.ndarray: ...

    def of_pixels(self, images: np.ndarray, advance: Callable[[int], None]) -> np.ndarray: ...

    def facts(self) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class _Features:
    network: FeatureNetwork
    of_reals: Callable[[np.ndarray], np.ndarray]

    def of_pixels(self, images: np.ndarray, advance: Callable[[int], None]) -> np.ndarray:
        features = self.network(images).numpy()
        advance(len(images))
        return features

    def facts(self) -> dict[str, Any]:
        return {name: getattr(self.network, name) for name in ("name", "dim", "sha256", "precision")}


@dataclass(frozen=True)
class _Pixels:
    images: RealImages

    def of_reals(self, indices: np.ndarray) -> np.ndarray:
        return _small(self.images.pixels(indices))

    def of_pixels(self, images: np.ndarray, advance: Callable[[int], None]) -> np.ndarray:
        advance(len(images))
        return _small(images)

    def facts(self) -> None:
        return None


class _Steps:
    """Adds up what is done."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def _by_copy(copies: np.ndarray, view: _View, advance: Callable[[int], None]) -> np.ndarray:
    """Returns what a classifier sees of copies [copies, n, H, W, C]."""
    return np.stack([view.of_pixels(copy, advance) for copy in copies])


def _small(images: np.ndarray) -> np.ndarray:
    """Larger images than 64 px are shrunk: the small classifier would take hours over them."""
    return resized(images, _FULL_PX) if max(images.shape[1:3]) > _FULL_PX else images


def _notes(sizes: Sequence[int | None], fewest: int, num_train: int, num_test: int) -> list[str]:
    notes = []
    if any(size is not None and size < fewest for size in sizes):
        notes.append(
            f"the generator has seen {num_train} real images or more; sizes below that flatter it, for a "
            "classifier that may not have an image gets what the generator learnt from it."
        )
    if num_test < 100:
        notes.append(
            f"{num_test} test images only: accuracy moves in steps of {100 / num_test:.1f} points, and only "
            "large gains can be seen."
        )
    return notes
