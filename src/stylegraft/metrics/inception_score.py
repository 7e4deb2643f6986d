"""Inception score: confident single predictions, and all classes together.

    IS = exp(mean_x KL(p(y | x) || p(y)))

It never looks at a real image, so it says nothing about likeness to a set; published numbers need it.

Source: Salimans et al. 2016, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import rel_entr

from stylegraft.metrics.checks import check_features


@dataclass(frozen=True)
class InceptionScore:
    """Mean and deviation (dividing by their number) over the splits; 1 to the number of classes."""

    mean: float
    std: float


def inception_score(
    probabilities: np.ndarray, *, num_splits: int = 10, shuffle_seed: int | None = None
) -> InceptionScore:
    """Returns the score of class probabilities [N, classes], each row summing to one.

    Args:
        probabilities: of the fakes.
        num_splits: consecutive parts that are scored one by one; never more than there are images.
        shuffle_seed: permutes rows by `RandomState(shuffle_seed).permutation` first, as torch-fidelity does
            with 2020; None keeps their order, as NVIDIA's code does.

    Raises:
        InputError: fewer images than splits.
        RunError: probabilities that are not finite.
        ValueError: rows that are no probabilities, such as logits.
    """
    p = np.asarray(probabilities, np.float64)
    check_features("inception score", at_least=num_splits, fake=p)
    # Single-precision softmax leaves sums off by 1e-6; logits are off by far more.
    if (p < 0).any() or np.abs(p.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError("inception score: expected rows of probabilities that sum to one, got others.")
    if shuffle_seed is not None:
        p = p[np.random.RandomState(shuffle_seed).permutation(len(p))]
    edges = [i * len(p) // num_splits for i in range(num_splits + 1)]
    parts = [p[start:stop] for start, stop in pairwise(edges)]
    scores = [np.exp(rel_entr(part, part.mean(axis=0)).sum(axis=1).mean()) for part in parts]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
