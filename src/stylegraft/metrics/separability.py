"""Linear separability: how well attributes of the pictures are split by hyperplanes in latent space.

    LS = exp(sum_i H(Y_i | X_i))

For each attribute i, Y_i is what a classifier sees in the picture and X_i on which side of the best
hyperplane its latent lies. 1 is perfect; it doubles for every missing bit.

Source: Karras et al. 2019, section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stylegraft.errors import InputError
from stylegraft.metrics.checks import check_features

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_MIN_SAMPLES = 20


@dataclass(frozen=True)
class Separability:
    """The result.

    Attributes:
        value: exp of the sum of the entropies.
        entropies: H(Y | X) of each attribute that could be measured, nats.
        skipped: attributes whose confident pictures all look alike, so that there is nothing to separate.
    """

    value: float
    entropies: dict[str, float]
    skipped: tuple[str, ...]


def linear_separability(
    latents: np.ndarray,
    probabilities: np.ndarray,
    *,
    attributes: Sequence[str] | None = None,
    keep: float = 0.5,
    seed: int = 0,
) -> Separability:
    """Returns the linear separability of attributes in a latent space.

    Args:
        latents: z or w of the fakes, [N, dim].
        probabilities: of each attribute being present in each fake, [N, attributes] in 0..1.
        attributes: their names; None: "0", "1"...
        keep: share of the pictures, the most confident ones of each attribute, that its hyperplane sees.
        seed: of the solver.

    Raises:
        InputError: fewer than 20 pictures, or no attribute that varies.
    """
    check_features("linear separability", at_least=_MIN_SAMPLES, fake=latents)
    if probabilities.ndim != 2 or len(probabilities) != len(latents):
        raise ValueError(
            f"attribute probabilities: expected [{len(latents)}, attributes], "
            f"got {list(probabilities.shape)}."
        )
    names = [str(i) for i in range(probabilities.shape[1])] if attributes is None else list(attributes)
    num_kept = max(2, round(keep * len(latents)))
    entropies: dict[str, float] = {}
    for name, probability in zip(names, np.asarray(probabilities, np.float64).T):
        most_confident = np.argsort(-np.abs(probability - 0.5), kind="stable")[:num_kept]
        present = probability[most_confident] > 0.5
        if present.all() or not present.any():
            continue
        side = _predict_side(latents[most_confident], present, seed)
        entropies[name] = conditional_entropy(present, side)
    if not entropies:
        raise InputError(
            "linear separability: expected an attribute that some fakes have and others lack, got none. "
            "Give attributes that vary in the generated images."
        )
    skipped = tuple(name for name in names if name not in entropies)
    return Separability(float(np.exp(sum(entropies.values()))), entropies, skipped)


def train_attribute_classifiers(
    features: np.ndarray, attributes: np.ndarray, *, seed: int = 0
) -> list[Pipeline]:
    """Trains one classifier an attribute on features of labelled real images, for `attribute_probabilities`.

    Args:
        features: [N, dim] of a frozen network.
        attributes: whether each image has each attribute, bool [N, attributes]; one-hot classes do as well.
        seed: of the solver.

    Raises:
        InputError: an attribute that all images have, or none.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    check_features("attribute classifiers", at_least=2, real=features)
    present = np.asarray(attributes, bool)
    constant = np.flatnonzero(present.all(axis=0) | ~present.any(axis=0))
    if len(constant):
        raise InputError(
            f"attribute {constant[0]}: expected real images with and without it, got one kind only. "
            "Leave it out."
        )
    return [
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, random_state=seed)).fit(
            features, column
        )
        for column in present.T
    ]


def attribute_probabilities(classifiers: Sequence[Pipeline], features: np.ndarray) -> np.ndarray:
    """Returns how probable each attribute is in each image, [N, attributes], from features [N, dim]."""
    return np.stack([classifier.predict_proba(features)[:, 1] for classifier in classifiers], axis=1)


def conditional_entropy(y: np.ndarray, x: np.ndarray) -> float:
    """Returns H(Y | X) of two boolean arrays [N], in nats: what is left to learn of y once x is known."""
    joint = np.array([[np.mean((x == i) & (y == j)) for j in (False, True)] for i in (False, True)])
    return _entropy(joint) - _entropy(joint.sum(axis=1))


def _entropy(probabilities: np.ndarray) -> float:
    p = probabilities[probabilities > 0]
    return float(-(p * np.log(p)).sum())


def _predict_side(latents: np.ndarray, present: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.svm import LinearSVC

    # The primal problem is the quicker one with many more pictures than dimensions, and needs no draws.
    dual = len(latents) <= latents.shape[1]
    svm = LinearSVC(dual=dual, max_iter=10_000, random_state=seed)
    return np.asarray(svm.fit(latents, present).predict(latents))
