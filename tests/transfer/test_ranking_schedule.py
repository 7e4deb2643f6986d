"""How many sources are probed for how long, for what a budget buys."""

from __future__ import annotations

import pytest

from stylegraft.errors import InputError
from stylegraft.transfer.ranking.schedule import BudgetTooSmallError, Costs, Round, halving, plan_rounds

USUAL = Costs(launch_sec=10, kimg_sec=15)


@pytest.mark.parametrize(
    ("num", "expected"),
    [
        (1, []),
        (2, [(2, 1)]),
        (3, [(3, 1), (2, 2)]),
        (6, [(6, 1), (3, 2), (2, 4)]),
        (8, [(8, 1), (4, 2), (2, 4)]),
    ],
)
def test_halving_doubles_the_probes_of_the_better_half(num: int, expected: list) -> None:
    assert list(halving(num, 1)) == [Round(*this) for this in expected]


def test_costs_count_each_launch_and_what_is_trained_anew() -> None:
    assert USUAL.of(halving(3, 1)) == 3 * (10 + 15) + 2 * (10 + 15)
    assert USUAL.of(halving(6, 2)) == 6 * (10 + 30) + 3 * (10 + 30) + 2 * (10 + 60)


def test_plan_fits_the_budget_and_uses_it() -> None:
    for seconds in range(60, 2000, 70):
        plan = plan_rounds(6, seconds, USUAL)
        assert USUAL.of(plan) <= seconds
        longer = [kimg for kimg in (1.5, 3.0, 6.0, 12.0, 24.0) if kimg > plan[0].kimg]
        assert all(USUAL.of(halving(plan[0].num_sources, kimg)) > seconds for kimg in longer[1:])


def test_plan_prefers_more_sources_to_longer_probes() -> None:
    counts = [plan_rounds(6, seconds, USUAL)[0].num_sources for seconds in (60, 150, 240, 400, 900)]
    assert counts == sorted(counts)
    assert counts[0] == 2
    assert counts[-1] == 6
    assert all(plan_rounds(6, seconds, USUAL)[0].kimg >= 1 for seconds in (60, 150, 240, 400, 900))


def test_plan_does_not_change_with_small_differences_of_speed() -> None:
    plans = {plan_rounds(6, 260, Costs(10 + jitter, 15 - jitter / 2)) for jitter in (0.0, 0.1, 0.2, 0.3)}
    assert len(plans) == 1


def test_plan_of_a_budget_that_is_too_small_says_what_is_needed() -> None:
    needed = USUAL.of(halving(2, 0.5))
    with pytest.raises(
        BudgetTooSmallError, match=r"--minutes 0.5: expected at least 0.6 for .*0.5 kimg each"
    ):
        plan_rounds(6, 30, USUAL)
    assert issubclass(BudgetTooSmallError, InputError)
    assert plan_rounds(6, needed, USUAL) == halving(2, 0.5)
