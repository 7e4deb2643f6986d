"""A model and images with the same classes: what is needed of both, and whether they fit together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from stylegraft.errors import DataError, InputError
from stylegraft.evaluation.statistics import RealImages


class ConditionalModel(Protocol):
    """What is needed of `stylegraft.Model`."""

    @property
    def info(self) -> dict[str, Any]:
        """Has "c_dim", the number of classes."""
        ...

    @property
    def class_names(self) -> list[str] | None:
        """One a class, numbers where the source has no names."""
        ...

    def sample(
        self, seeds: Sequence[int], psi: float = ..., *, labels: np.ndarray | None = ...
    ) -> np.ndarray:
        """Returns uint8 [n, H, W, C]; labels are one-hot, float32 [n, c_dim]."""
        ...


class ClassifiedImages(RealImages, Protocol):
    """What is needed of an image set."""

    @property
    def names(self) -> Sequence[str]:
        """File names, from which sources are told."""
        ...

    @property
    def class_names(self) -> Sequence[str] | None:
        """One a class; None without classes."""
        ...

    @property
    def class_indices(self) -> np.ndarray | None:
        """int64 [N], or None."""
        ...


def classes_of(
    model: ConditionalModel, image_set: ClassifiedImages, flag: str
) -> tuple[list[str], np.ndarray]:
    """Returns names of the classes and the class of each image, int64 [N].

    Args:
        model: generates images by class.
        image_set: real images with classes.
        flag: of the command line, that asks for this; errors name it.

    Raises:
        InputError: the model has no classes, or others than the images.
        DataError: the images have no classes.
    """
    names, classes = image_set.class_names, image_set.class_indices
    if names is None or classes is None:
        raise DataError(
            f"{flag}: expected images with classes, got none. Sort them into one folder a class, or give a "
            "dataset.json with class numbers."
        )
    if model.info["c_dim"] != len(names):
        made = f"{model.info['c_dim']} classes" if model.info["c_dim"] else "a generator without classes"
        raise InputError(
            f"{flag}: expected a generator of the images' {len(names)} classes, got {made}. "
            "Train one on these labels."
        )
    known = model.class_names or []
    if list(known) != list(names) and not all(name.isdigit() for name in known):
        raise InputError(
            f"{flag}: expected the generator's classes {', '.join(known[:5])}..., got images of "
            f"{', '.join(names[:5])}... Give images with the same classes in the same order."
        )
    return list(names), classes


def one_hot(classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns labels, float32 [N, num_classes], of classes, int [N]."""
    return np.eye(num_classes, dtype=np.float32)[classes]
