"""The pictures that a result names by seed and by file, for its report."""

from __future__ import annotations

from typing import Any

import numpy as np

from stylegraft.evaluation.classes import ClassifiedImages, ConditionalModel, classes_of, one_hot
from stylegraft.evaluation.evaluate import LabelledImages, SampledModel, fakes_of

_NUM_REALS = 24
_NUM_REALS_OF_CLASS = 10


def pictures_of(
    result: dict[str, Any], model: SampledModel, images: LabelledImages, train_indices: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns pictures by their place in the report, uint8 [n, H, W, C] each; places without any are absent.

    Args:
        result: from `evaluate_model`.
        model: the same; it draws the pictures of the named seeds once more.
        images: the same.
        train_indices: of the split.

    Returns:
        "samples", "best", "worst", "suspicious" and "nearest" (row by row the real images that the
        suspicious ones are nearest to, mirrored where that is nearer), "reals".
    """
    settings, shown = result["settings"], result["samples"]
    sample = fakes_of(model, images.labels, num=settings["num"], seed=settings["seed"], psi=settings["psi"])

    def drawn(seeds: list[int]) -> np.ndarray:
        return np.concatenate([sample(seed - settings["seed"], 1) for seed in seeds])

    suspicious = shown["suspicious"]
    seeds = {name: shown[name] for name in ("best", "worst")}
    seeds |= {"samples": shown["seeds"], "suspicious": [row["seed"] for row in suspicious]}
    pictures = {name: drawn(found) for name, found in seeds.items() if found}
    if suspicious:
        nearest = images.pixels(np.array([row["index"] for row in suspicious]))
        mirrored = np.array([row["mirrored"] for row in suspicious])
        pictures["nearest"] = np.where(mirrored[:, None, None, None], nearest[:, :, ::-1], nearest)
    some = np.random.RandomState(0).permutation(train_indices)[:_NUM_REALS]
    pictures["reals"] = images.pixels(np.sort(some))
    return pictures


def class_pictures(
    by_class: dict[str, Any], model: ConditionalModel, images: ClassifiedImages, train_indices: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns training and generated pictures of each class by its name, uint8 [n, H, W, C] each.

    Args:
        by_class: from `measure_by_class`.
        model: the same; it draws the pictures of the named seeds once more.
        images: the same.
        train_indices: of the split.
    """
    names, classes = classes_of(model, images, "--by-class")
    order = np.random.RandomState(0).permutation(train_indices)
    pictures = {}
    for row in by_class["rows"]:
        index = names.index(row["class"])
        some = np.sort(order[classes[order] == index][:_NUM_REALS_OF_CLASS])
        labels = one_hot(np.full(len(row["seeds"]), index), len(names))
        made = model.sample(row["seeds"], by_class["settings"]["psi"], labels=labels)
        pictures[row["class"]] = images.pixels(some), made
    return pictures
