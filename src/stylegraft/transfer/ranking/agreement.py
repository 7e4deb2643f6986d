"""Holds rankings against what training gave: rank correlations with the final orders of a study.

For each target of a study and each number that ranking knows of its sources (the score, its parts, other
measures, the ranking itself) this says how well the order by that number agrees with the order of the study,
which is by the median over seeds of the lowest held-out distance. What matters to a user is the regret: how
much higher the distance is that the source in the first place reached than the lowest one reached by any.

With five sources a correlation can take few values and is easily high by chance. So the mean over targets
is set beside what random orders reach.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats

from stylegraft.transfer.ranking.record import Ranking
from stylegraft.transfer.study.summary import TargetOrder

_NUM_RANDOM_ORDERS = 10_000
_MIN_SOURCES = 3  # two are in the right order or not
_ROUNDING = 1e-9

_Quick = dict[str, Any]
# Of the quick scores; the sign makes higher ones better.
_PREDICTORS: dict[str, Callable[[_Quick], float]] = {
    "quick score": lambda quick: quick["score"]["value"],
    "closeness": lambda quick: quick["closeness"],
    "reach": lambda quick: quick["reach"],
    "variety": lambda quick: quick["variety"],
    "recall": lambda quick: quick["recall"],
    "-KD": lambda quick: -quick["kd"],
    "D of the source": lambda quick: quick["variability"]["distance"],
    "E of the source": lambda quick: quick["variability"]["rank"],
}
_ORDER = "ranking with probes"


@dataclass(frozen=True)
class Agreement:
    """One number against the final order of one target.

    Attributes:
        target: name in the study.
        num_sources: in both; scratch counts where the number knows it.
        spearman: rank correlation, -1 to 1; None: the number is the same for all sources.
        kendall: tau-b, likewise.
        picked: the source that the number puts first.
        regret: its median distance over the lowest one, less 1.
    """

    target: str
    num_sources: int
    spearman: float | None
    kendall: float | None
    picked: str
    regret: float


@dataclass(frozen=True)
class Predictor:
    """One number against all targets.

    Attributes:
        name: of the number.
        targets: agreements, in the order of the study.
        spearman: mean over targets; None if no target has one.
        chance: share of random orders whose mean is as high.
        regret: mean over targets.
    """

    name: str
    targets: tuple[Agreement, ...]
    spearman: float | None
    chance: float | None
    regret: float


def compare(orders: Sequence[TargetOrder], rankings: Mapping[str, Ranking]) -> list[Predictor]:
    """Returns how each number that the rankings have agrees with a study.

    Targets on which fewer than three sources are known to both sides are left out.

    Args:
        orders: of the study.
        rankings: by target.
    """
    finals = {
        order.target: {place.source: place.median for place in order.places if place.median is not None}
        for order in orders
    }
    predictors = []
    for name, by_target in _numbers(rankings).items():
        cases = [
            _Case.of(target, numbers, finals[target])
            for target, numbers in by_target.items()
            if len(numbers.keys() & finals[target].keys()) >= _MIN_SOURCES
        ]
        if cases:
            predictors.append(_over_targets(name, cases))
    return predictors


@dataclass(frozen=True, eq=False)
class _Case:
    """A number and the final distances of the sources of one target, in the same order."""

    target: str
    names: list[str]
    numbers: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(cls, target: str, numbers: Mapping[str, float], distances: Mapping[str, float]) -> _Case:
        names = sorted(numbers.keys() & distances.keys())
        return cls(
            target,
            names,
            np.array([numbers[name] for name in names]),
            np.array([distances[name] for name in names]),
        )

    @property
    def is_constant(self) -> bool:
        return bool(np.ptp(self.numbers) == 0 or np.ptp(self.distances) == 0)

    def agreement(self) -> Agreement:
        picked = int(self.numbers.argmax())
        spearman = kendall = None
        if not self.is_constant:
            spearman = float(self.spearman(scipy.stats.rankdata(self.numbers)))
            kendall = float(scipy.stats.kendalltau(self.numbers, -self.distances).statistic)  # pyright: ignore
        return Agreement(
            target=self.target,
            num_sources=len(self.names),
            spearman=spearman,
            kendall=kendall,
            picked=self.names[picked],
            regret=float(self.distances[picked] / self.distances.min()) - 1,
        )

    def spearman(self, ranks: np.ndarray) -> np.ndarray:
        """Returns the correlation of ranks [..., num_sources] with the final order; high ranks are good."""
        final = scipy.stats.rankdata(-self.distances)
        a, b = ranks - ranks.mean(axis=-1, keepdims=True), final - final.mean()
        return (a @ b) / np.sqrt((a**2).sum(axis=-1) * (b**2).sum())


def _over_targets(name: str, cases: Sequence[_Case]) -> Predictor:
    agreements = tuple(case.agreement() for case in cases)
    known = [item.spearman for item in agreements if item.spearman is not None]
    mean = statistics.mean(known) if known else None
    chance = None
    if mean is not None:
        random = np.random.RandomState(0)
        drawn = [
            case.spearman(
                np.array([random.permutation(len(case.names)) for _ in range(_NUM_RANDOM_ORDERS)], float)
            )
            for case in cases
            if not case.is_constant
        ]
        chance = float((np.mean(drawn, axis=0) >= mean - _ROUNDING).mean())
    return Predictor(name, agreements, mean, chance, statistics.mean(item.regret for item in agreements))


def agreement_table(predictors: Sequence[Predictor]) -> str:
    """Returns a table in Markdown: a row a number, Spearman's correlation a target, means and regret."""
    targets = list(dict.fromkeys(item.target for predictor in predictors for item in predictor.targets))
    header = ["order by", *targets, "mean", "random orders as good", "first place", "mean regret"]
    lines = [_row(header), _row(["---", *["---:"] * (len(targets) + 2), "---", "---:"])]
    for predictor in predictors:
        by_target = {item.target: item for item in predictor.targets}
        cells = [_number(by_target[name].spearman) if name in by_target else "-" for name in targets]
        picked = ", ".join(by_target[name].picked if name in by_target else "-" for name in targets)
        chance = "-" if predictor.chance is None else f"{100 * predictor.chance:.0f} %"
        mean = _number(predictor.spearman)
        lines.append(_row([predictor.name, *cells, mean, chance, picked, f"{100 * predictor.regret:.0f} %"]))
    return "\n".join(lines)


def _numbers(rankings: Mapping[str, Ranking]) -> dict[str, dict[str, dict[str, float]]]:
    """Returns the numbers by their name, target and source; higher is better."""
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    if any(ranking.probes is not None for ranking in rankings.values()):
        numbers[_ORDER] = {
            target: {source.name: -float(place) for place, source in enumerate(ranking.sources)}
            for target, ranking in rankings.items()
        }
    for name, number in _PREDICTORS.items():
        numbers[name] = {
            target: {
                source.name: number(source.quick) for source in ranking.sources if source.quick is not None
            }
            for target, ranking in rankings.items()
        }
    return numbers


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
