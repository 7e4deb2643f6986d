"""The quick score: how good a starting point a source looks like, from features, before anything is trained.

    score = 100 * closeness^0.4 * reach^0.4 * variety^0.2        higher is better; each part lies in 0 to 1

All parts come from cosine distances d of features: of pairs of target images (mean D_t), of pairs of samples
of the source (mean D_s), and of one of each (mean C).

    closeness = (D_t + D_s) / 2 / C     1: a sample differs from a target image no more than images within the
                                        two sets differ among themselves (their mean directions are equal)
    reach     = 1 - mean over target images of min over samples of d
                                        how like each target image the most similar sample is
    variety   = sqrt(min(1, D_s / D_t) * min(1, E_s / E_t))
                                        1: the source varies as much as the target or more; E is the effective
                                        rank, the number of directions in which images vary

Why these. A generator keeps the modes that it has: what fine-tuning gains from its start is coverage of the
target, and the recall of the target by the source's samples foretells it (Grigoryev et al. 2022). Recall
itself is 0 for sources that are far away, however they differ, and moves in steps of 1/N with N images;
`reach` asks the same without a threshold. That near sources do better than far ones is an old finding (Wang
et al. 2018); `closeness` has next to no bias and needs no covariance, whose estimate from 100 images is
mostly noise. `variety` is one-sided: a source that varies less than the target has to invent, one that varies
more has only to forget. Powers, not sums: who lacks one of the three is no good start, and a factor common to
all sources of a target changes no order. The weights were fixed by these arguments before any study;
`agreement` holds them against what training then gave.

Source: Roy and Vetterli 2007, eq. 3 (effective rank).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stylegraft.metrics.intervals import Units
from stylegraft.metrics.kid import kid
from stylegraft.metrics.precision_recall import precision_recall
from stylegraft.transfer.ranking.resampling import Resampled, resample, units_of

WEIGHTS = {"closeness": 0.4, "reach": 0.4, "variety": 0.2}
_RECALL_NEIGHBOUR = 3
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Variability:
    """How much a set of images varies.

    Attributes:
        distance: mean cosine distance of two images, D.
        rank: effective rank, E: exp of the entropy of the spectrum of the covariance; at most N - 1.
    """

    distance: float
    rank: float


@dataclass(frozen=True)
class Parts:
    """The three parts of a score, each 0 to 1."""

    closeness: float
    reach: float
    variety: float

    @property
    def score(self) -> float:
        """0 to 100, higher is better."""
        return 100 * float(np.prod([getattr(self, name) ** weight for name, weight in WEIGHTS.items()]))


@dataclass(frozen=True, eq=False)
class QuickScore:
    """What features say of a source.

    Attributes:
        score: with its errors.
        parts: what it was made of.
        variability: of the source's samples, at the count of the target's images.
        kd: kernel distance to the target, as `metrics.kid`; not part of the score.
        recall: share of target images inside the manifold of the samples; not part of the score.
    """

    score: Resampled
    parts: Parts
    variability: Variability
    kd: float
    recall: float

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values."""
        return {
            "score": self.score.interval.to_dict(),
            **asdict(self.parts),
            "variability": asdict(self.variability),
            "kd": self.kd,
            "recall": self.recall,
        }


class Target:
    """The images that sources are wanted for.

    Args:
        features: [N, dim], N at least 4.
        groups: source file of each image, [N]; None: each is its own.
        seed: of the half-samples.
    """

    def __init__(self, features: np.ndarray, groups: np.ndarray | None = None, *, seed: int = 0) -> None:
        self._features = features
        self._directions = _directions(features)
        self._inner = self._directions @ self._directions.T
        self._units = units_of(len(features), groups)
        self._seed = seed
        self._ranks: dict[bytes, float] = {}  # of halves, which all sources have in common
        self.variability = Variability(_mean_distance(self._inner), _effective_rank(self._inner))

    def score(self, samples: np.ndarray) -> QuickScore:
        """Returns the score of a source.

        Args:
            samples: features of its samples, [M, dim], M at least N; equal for all sources to be compared.
        """
        if len(samples) < len(self._features):
            raise ValueError(f"samples: expected at least {len(self._features)}, got {len(samples)}.")
        directions = _directions(samples)
        within, between = directions @ directions.T, self._directions @ directions.T

        def parts(some: np.ndarray, others: np.ndarray) -> Parts:
            inner, source = self._inner[np.ix_(some, some)], within[np.ix_(others, others)]
            likeness = between[np.ix_(some, others)]
            num = min(len(some), len(others))  # effective ranks rise with the count: equal ones are compared
            target = Variability(_mean_distance(inner), self._rank_of(some[:num]))
            varies = Variability(_mean_distance(source), _effective_rank(source[:num, :num]))
            return _parts(target, varies, likeness)

        whole = np.arange(len(self._features)), np.arange(len(samples))
        value = parts(*whole)
        num = len(self._features)
        return QuickScore(
            score=resample(
                lambda some, others: parts(some, others).score,
                value.score,
                self._units,
                Units(len(samples)),
                seed=self._seed,
                bounds=(0.0, 100.0),
            ),
            parts=value,
            variability=Variability(_mean_distance(within), _effective_rank(within[:num, :num])),
            kd=kid(self._features, samples),
            recall=precision_recall(self._features, samples, k=_RECALL_NEIGHBOUR).recall,
        )

    def _rank_of(self, indices: np.ndarray) -> float:
        key = indices.tobytes()
        if key not in self._ranks:
            self._ranks[key] = _effective_rank(self._inner[np.ix_(indices, indices)])
        return self._ranks[key]


def _parts(target: Variability, source: Variability, likeness: np.ndarray) -> Parts:
    """Returns the parts from the variability of both sides and the inner products [N, M] between them."""
    between = 1 - float(likeness.mean())
    within = (target.distance + source.distance) / 2
    return Parts(
        closeness=_ratio(within, between),
        reach=float(np.clip(likeness.max(axis=1).mean(), 0, 1)),
        variety=float(np.sqrt(_ratio(source.distance, target.distance) * _ratio(source.rank, target.rank))),
    )


def _ratio(value: float, whole: float) -> float:
    """Returns value / whole within 0 to 1; equal images have distances of 0, give or take rounding."""
    return 1.0 if value >= whole - _ROUNDING else max(value, 0.0) / whole


def _directions(features: np.ndarray) -> np.ndarray:
    """Returns features scaled to length 1, float64 [N, dim]."""
    values = np.asarray(features, np.float64)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float64).tiny)


def _mean_distance(inner: np.ndarray) -> float:
    """Returns the mean cosine distance of pairs of different images from their inner products [N, N]."""
    num = len(inner)
    return 1 - float((inner.sum() - np.trace(inner)) / (num * (num - 1)))


def _effective_rank(inner: np.ndarray) -> float:
    """Returns the effective rank of the covariance from inner products [N, N], which share its spectrum."""
    means = inner.mean(axis=0)
    values = np.linalg.eigvalsh(inner - means - means[:, None] + means.mean())
    values = values[values > len(inner) * np.finfo(np.float64).eps]
    shares = values / values.sum() if len(values) else np.ones(1)
    return float(np.exp(-(shares * np.log(shares)).sum()))
