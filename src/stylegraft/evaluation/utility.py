"""Are synthetic images useful? The same classifier, trained on real, augmented and synthetic images in turn.

Four arms: real images only; real and classically augmented copies of them; real and synthetic; synthetic
only. All are tested on the same real images, which neither classifier nor generator has ever seen.

This file is about fairness and arithmetic. A classifier is handed in as a function, and its inputs may be
features of a frozen network (`linear_classifier`, quick) or pixels (`small_classifier`, full).

Source: training on real and testing on synthetic images and the other way round, Ravuri and Vinyals 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from stylegraft.errors import DataError
from stylegraft.evaluation.utility_summary import ArmResult, UtilityResult, summarise

Arm = Literal["real", "real_augmented", "real_synthetic", "synthetic"]
ARMS: tuple[Arm, ...] = ("real", "real_augmented", "real_synthetic", "synthetic")


class Classifier(Protocol):
    """Trains from scratch and predicts."""

    def __call__(
        self, train: np.ndarray, classes: np.ndarray, test: np.ndarray, *, num_classes: int, seed: int
    ) -> np.ndarray:
        """Returns the predicted classes of `test`, int [T], after training on `train` [N, ...]."""
        ...


@dataclass(frozen=True)
class Examples:
    """Inputs of a classifier with their classes.

    Attributes:
        inputs: [N, ...], features or pixels.
        classes: int [N], 0 to num_classes - 1.
    """

    inputs: np.ndarray
    classes: np.ndarray

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.classes):
            raise ValueError(f"examples: {len(self.inputs)} inputs for {len(self.classes)} classes.")


@dataclass(frozen=True)
class Draw:
    """What one repetition trains on.

    Attributes:
        real: what the generator was trained on.
        augmented: classically augmented copies of `real`, [copies, N, ...].
        synthetic: generated examples; all of them are used at every size.
    """

    real: Examples
    augmented: np.ndarray
    synthetic: Examples


def measure_utility(
    classifier: Classifier,
    draw: Callable[[int], Draw],
    *,
    test: Examples,
    class_names: Sequence[str],
    images_per_class: Sequence[int | None] = (None,),
    num_seeds: int = 3,
    test_groups: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> UtilityResult:
    """Returns how well classifiers do with and without synthetic images.

    A generator that was trained on all real images has seen more than a classifier that gets a part of them.
    Sizes below that of its training set flatter it, unless the generator was trained at that size.

    Args:
        classifier: see `Classifier`.
        draw: `draw(seed)` gives the examples of a repetition, for seeds 0 to num_seeds - 1. What differs
            between draws (generated images, augmentations, the generator) is part of the intervals.
        test: held-out real examples.
        class_names: one a class.
        images_per_class: numbers of real images a class to try; None: all there are.
        num_seeds: repetitions with another choice of real images (where there is one) and another start.
        test_groups: source of each test image, if some share one.
        progress: called with trainings done and trainings in all.

    Raises:
        DataError: fewer than two classes, or a class without real, synthetic or test examples.
    """
    _check_classes(class_names, test=test)
    results: list[ArmResult] = []
    total = len(images_per_class) * num_seeds * len(ARMS)
    for seed in range(num_seeds):
        drawn = draw(seed)
        _check_classes(class_names, real=drawn.real, synthetic=drawn.synthetic)
        for size in images_per_class:
            chosen = _choose(drawn.real.classes, size, seed)
            for arm in ARMS:
                examples = _examples_of(arm, drawn, chosen)
                predicted = classifier(
                    examples.inputs, examples.classes, test.inputs, num_classes=len(class_names), seed=seed
                )
                results.append(ArmResult(arm, size, seed, len(examples.classes), np.asarray(predicted)))
                if progress:
                    progress(len(results), total)
    return summarise(results, test.classes, class_names, test_groups)


def linear_classifier(
    train: np.ndarray, classes: np.ndarray, test: np.ndarray, *, num_classes: int, seed: int
) -> np.ndarray:
    """Trains multinomial logistic regression on features; the quick setting.

    Args:
        train: features [N, dim].
        classes: int [N].
        test: features [T, dim].
        num_classes: unused; classes that are absent from `classes` are never predicted.
        seed: of the solver.

    Returns:
        Predicted classes, [T].
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Features outnumber examples in small sets: a firm penalty is better than one tuned on too few.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000, random_state=seed))
    return np.asarray(model.fit(train, classes).predict(test))


def _choose(classes: np.ndarray, size: int | None, seed: int) -> np.ndarray:
    if size is None:
        return np.arange(len(classes))
    random = np.random.RandomState(seed)
    each = [random.permutation(np.flatnonzero(classes == index))[:size] for index in np.unique(classes)]
    return np.sort(np.concatenate(each))


def _examples_of(arm: Arm, draw: Draw, chosen: np.ndarray) -> Examples:
    if arm == "synthetic":
        return draw.synthetic
    parts = [(draw.real.inputs[chosen], draw.real.classes[chosen])]
    if arm == "real_augmented":
        parts += [(copy[chosen], draw.real.classes[chosen]) for copy in draw.augmented]
    if arm == "real_synthetic":
        parts.append((draw.synthetic.inputs, draw.synthetic.classes))
    inputs, classes = zip(*parts)
    return Examples(np.concatenate(inputs), np.concatenate(classes))


def _check_classes(class_names: Sequence[str], **sides: Examples) -> None:
    if len(class_names) < 2:
        raise DataError(f"--utility: expected at least 2 classes, got {len(class_names)}. Give labels.")
    for side, examples in sides.items():
        counts = np.bincount(examples.classes, minlength=len(class_names))
        if not counts.all():
            name = class_names[int(counts.argmin())]
            raise DataError(
                f"--utility, class {name!r}: expected at least one {side} image, got none. "
                "Give images of every class, or leave the class out."
            )
