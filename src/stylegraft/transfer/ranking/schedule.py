"""Successive halving inside a time budget: how many sources are probed, for how long, in how many rounds.

In each round all sources that are left train until they have seen the same number of images, twice as many as
in the round before; the better half stays. Two sources are told apart by one more round, which the better one
of them wins.

Source: Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stylegraft.errors import InputError

# After fewer than 500 images one measures the source still. Longer probes are preferred to one source more.
SHORTEST_KIMG = 0.5
_KIMG_GRID = (SHORTEST_KIMG, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
_WANTED_KIMG = 1.0


class BudgetTooSmallError(InputError):
    """There is no time for the shortest probes of two sources."""


@dataclass(frozen=True)
class Round:
    """A round of probes.

    Attributes:
        num_sources: how many take part.
        kimg: thousands of images that each of them has seen at its end.
    """

    num_sources: int
    kimg: float


@dataclass(frozen=True)
class Costs:
    """What probes take on this machine, seconds.

    Attributes:
        launch_sec: to start a training, to write its results and to measure them.
        kimg_sec: to train on a thousand images.
    """

    launch_sec: float
    kimg_sec: float

    def of_round(self, this: Round, before_kimg: float) -> float:
        """Returns the seconds that a round takes after another one that ended at `before_kimg`."""
        return this.num_sources * (self.launch_sec + (this.kimg - before_kimg) * self.kimg_sec)

    def of(self, rounds: tuple[Round, ...]) -> float:
        """Returns the seconds that rounds take."""
        ends = (0.0, *(this.kimg for this in rounds))
        return sum(self.of_round(this, before) for this, before in zip(rounds, ends))


def halving(num_sources: int, first_kimg: float) -> tuple[Round, ...]:
    """Returns the rounds that single out the best of `num_sources`, none if there is no choice.

    Args:
        num_sources: how many begin.
        first_kimg: how long the first round is.
    """
    rounds = []
    while num_sources > 1:
        rounds.append(Round(num_sources, first_kimg * 2 ** len(rounds)))
        num_sources = math.ceil(num_sources / 2) if num_sources > 2 else 1
    return tuple(rounds)


def plan_rounds(
    num_sources: int, budget_sec: float, costs: Costs, *, spent_sec: float = 0.0
) -> tuple[Round, ...]:
    """Returns the rounds that fit into a budget: as many sources as possible, then as long as possible.

    First rounds are of a few fixed lengths, so that small differences of speed do not change the plan.

    Args:
        num_sources: how many there are, in the order in which they are to be left out if need be.
        budget_sec: the time that was given for all probes.
        costs: what it buys.
        spent_sec: how much of it is gone, for finding out about the costs.

    Raises:
        BudgetTooSmallError: two sources cannot be compared in it.
    """
    for least_kimg in (_WANTED_KIMG, SHORTEST_KIMG):
        for num in range(num_sources, 1, -1):
            plans = [halving(num, kimg) for kimg in _KIMG_GRID if kimg >= least_kimg]
            affordable = [plan for plan in plans if spent_sec + costs.of(plan) <= budget_sec]
            if affordable:
                return affordable[-1]
    needed_sec = spent_sec + costs.of(halving(2, SHORTEST_KIMG))
    least = math.ceil(needed_sec / 6) / 10
    raise BudgetTooSmallError(
        f"--minutes {budget_sec / 60:.2g}: expected at least {least:g} for the shortest probes of two "
        f"sources here ({SHORTEST_KIMG:g} kimg each). Give more, or --minutes 0 for the quick score alone."
    )
