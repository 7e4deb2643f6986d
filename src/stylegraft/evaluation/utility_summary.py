"""From predictions to a table, intervals and a plain sentence: do synthetic images help a classifier?

The error of a difference between two arms has two sources: the choice of training images and starting weights
(seen in the spread over seeds) and the choice of test images (seen in the spread over them). Both arms share
seeds and test images, so the difference is taken pair by pair, and the two variances are added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.stats

from stylegraft.metrics.intervals import Interval

_LEVEL = 0.95
_BASELINES = ("real", "real_augmented")


@dataclass(frozen=True, eq=False)
class ArmResult:
    """What one trained classifier said.

    Attributes:
        arm: which images it was trained on.
        images_per_class: real images a class; None: all.
        seed: of the repetition.
        num_train: examples it was trained on.
        predicted: classes of the test images, int [T].
    """

    arm: str
    images_per_class: int | None
    seed: int
    num_train: int
    predicted: np.ndarray


@dataclass(frozen=True)
class UtilityRow:
    """One line of the table: an arm at a size, over all seeds.

    Attributes:
        arm: which images the classifiers were trained on.
        images_per_class: real images a class; None: all.
        num_train: examples in training.
        accuracy: share of test images that are named rightly.
        macro_f1: mean over classes of the F1 score; its interval knows of seeds only.
        recall_per_class: share of each class that is named rightly.
        change_per_class: the same less that of "real" at this size.
        gain: accuracy less that of "real" at this size; None for "real" itself.
    """

    arm: str
    images_per_class: int | None
    num_train: int
    accuracy: Interval
    macro_f1: Interval
    recall_per_class: dict[str, float]
    change_per_class: dict[str, float]
    gain: Interval | None


@dataclass(frozen=True)
class UtilityResult:
    """The table and what it says.

    Attributes:
        rows: one for each arm and size.
        sentences: the verdict at each size.
        num_test: test images.
        num_seeds: repetitions.
    """

    rows: tuple[UtilityRow, ...]
    sentences: tuple[str, ...]
    num_test: int
    num_seeds: int

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values."""
        return asdict(self)


def summarise(
    results: Sequence[ArmResult],
    truth: np.ndarray,
    class_names: Sequence[str],
    test_groups: np.ndarray | None = None,
) -> UtilityResult:
    """Returns the table of all results.

    Args:
        results: of every arm, size and seed; arms of one size share their seeds.
        truth: classes of the test images, int [T].
        class_names: one a class.
        test_groups: source of each test image, if some share one; None: each is its own.
    """
    groups = np.arange(len(truth)) if test_groups is None else np.unique(test_groups, return_inverse=True)[1]
    num_seeds = len({result.seed for result in results})
    sizes = list(dict.fromkeys(result.images_per_class for result in results))
    arms = list(dict.fromkeys(result.arm for result in results))
    rows, sentences = [], []
    for size in sizes:
        of_arm = {arm: [r for r in results if (r.images_per_class, r.arm) == (size, arm)] for arm in arms}
        right = {arm: np.stack([r.predicted == truth for r in found]) for arm, found in of_arm.items()}
        recall = {arm: _recall(hits, truth, class_names) for arm, hits in right.items()}
        for arm, found in of_arm.items():
            rows.append(
                UtilityRow(
                    arm=arm,
                    images_per_class=size,
                    num_train=found[0].num_train,
                    accuracy=_interval(right[arm].astype(float), groups, bounds=(0, 1)),
                    macro_f1=_seed_interval([_macro_f1(r.predicted, truth, len(class_names)) for r in found]),
                    recall_per_class=recall[arm],
                    change_per_class={name: recall[arm][name] - recall["real"][name] for name in class_names},
                    gain=None if arm == "real" else _gain(right[arm], right["real"], groups),
                )
            )
        sentences.append(_sentence(size, right, groups))
    return UtilityResult(tuple(rows), tuple(sentences), len(truth), num_seeds)


def _sentence(size: int | None, right: dict[str, np.ndarray], groups: np.ndarray) -> str:
    """Compares real + synthetic with the better of what one has without a generator."""
    baseline = max(_BASELINES, key=lambda arm: right[arm].mean())
    gain = _gain(right["real_synthetic"], right[baseline], groups)
    start = "With all real images" if size is None else f"With {size} real images a class"
    against = {"real": "real images alone", "real_augmented": "classical augmentation"}[baseline]
    points = (
        f"{100 * gain.value:+.1f} points of accuracy against {against} "
        f"({gain.level:.0%} interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    )
    if gain.low > 0:
        return f"{start}, synthetic images help: {points}."
    if gain.high < 0:
        return f"{start}, synthetic images do harm: {points}."
    return f"{start}, no clear effect of synthetic images: {points}."


def _gain(right: np.ndarray, baseline: np.ndarray, groups: np.ndarray) -> Interval:
    return _interval(right.astype(float) - baseline.astype(float), groups, bounds=(-1, 1))


def _interval(values: np.ndarray, groups: np.ndarray, bounds: tuple[float, float]) -> Interval:
    """Returns the mean of values [seeds, T] with an interval over both seeds and (groups of) test images."""
    num_seeds, num_test = values.shape
    value = float(values.mean())
    # Means of groups, weighted by size, so that the value stays that over images.
    num_groups = int(groups.max()) + 1
    sums = np.bincount(groups, values.mean(axis=0) - value, num_groups)
    variances = [float((sums**2).sum()) / num_test**2 * num_groups / max(num_groups - 1, 1)]
    freedoms = [max(num_groups - 1, 1)]
    if num_seeds > 1:
        variances.append(float(values.mean(axis=1).var(ddof=1)) / num_seeds)
        freedoms.append(num_seeds - 1)
    return _from_variances(value, variances, freedoms, bounds)


def _seed_interval(values: Sequence[float]) -> Interval:
    num = len(values)
    variance = float(np.var(values, ddof=1)) / num if num > 1 else 0.0
    return _from_variances(float(np.mean(values)), [variance], [max(num - 1, 1)], (0, 1))


def _from_variances(
    value: float, variances: list[float], freedoms: list[int], bounds: tuple[float, float]
) -> Interval:
    """Adds independent variances; Student's t with the degrees of freedom of Welch and Satterthwaite."""
    total = sum(variances)
    reach = 0.0
    if total > 0:
        freedom = total**2 / sum(v**2 / f for v, f in zip(variances, freedoms))
        reach = math.sqrt(total) * float(scipy.stats.t.ppf((1 + _LEVEL) / 2, freedom))
    low, high = max(value - reach, bounds[0]), min(value + reach, bounds[1])
    return Interval(value, low, high, _LEVEL, math.sqrt(total), reach)


def _recall(right: np.ndarray, truth: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    return {name: float(right[:, truth == index].mean()) for index, name in enumerate(class_names)}


def _macro_f1(predicted: np.ndarray, truth: np.ndarray, num_classes: int) -> float:
    confusion = np.zeros((num_classes, num_classes))
    np.add.at(confusion, (truth, predicted), 1)
    # Every class is in the test set, so that no denominator is zero.
    return float((2 * confusion.diagonal() / (confusion.sum(axis=0) + confusion.sum(axis=1))).mean())
