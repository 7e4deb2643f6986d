"""Runs the rounds of probes, and goes on with them where an earlier session was killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stylegraft.errors import InputError
from stylegraft.metrics.settings import FD_EFFLITE0
from stylegraft.transfer.ranking.candidates import Candidate
from stylegraft.transfer.ranking.probe import ProbeFailedError, Prober
from stylegraft.transfer.ranking.resampling import differ
from stylegraft.transfer.ranking.schedule import SHORTEST_KIMG, Costs, Round, halving, plan_rounds
from stylegraft.transfer.ranking.state import Probed, ProbeState

# Two log lines of 16 images a step: the first steps are slower than those that follow.
_CALIBRATION_KIMG = SHORTEST_KIMG

OnNote = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Probes:
    """The outcome of all rounds.

    Attributes:
        rounds: as planned.
        num_finished: how many were finished; fewer if the time ran out.
        costs: measured; None if the length of the probes was given.
        spent_sec: time taken, over all sessions.
        probed: by name, of the sources that took part.
    """

    rounds: tuple[Round, ...]
    num_finished: int
    costs: Costs | None
    spent_sec: float
    probed: dict[str, Probed]

    @property
    def last_kimg(self) -> float:
        """Thousands of images of the last finished round."""
        return self.rounds[self.num_finished - 1].kimg


def run_probes(
    candidates: Sequence[Candidate],
    prober: Prober,
    state: ProbeState,
    *,
    budget_sec: float,
    first_kimg: float | None,
    on_note: OnNote,
) -> Probes:
    """Probes the candidates, the most promising first, and halves them round by round.

    If the last two cannot be told apart and there is time left, they go on for twice as long.

    Args:
        candidates: if there is no time for all, the last ones are left out.
        prober: trains and measures.
        state: what earlier sessions did.
        budget_sec: time for all of it.
        first_kimg: length of the first round's probes, for all candidates whatever it takes; None: what fits.
        on_note: told of each result.

    Raises:
        BudgetTooSmallError: not even two sources can be compared.
        InputError: none of them can be trained from.
    """
    if state.rounds is None:
        _plan(candidates, prober, state, budget_sec, first_kimg, on_note)
    assert state.rounds is not None
    left = [candidate for candidate in candidates if candidate.name in state.names]
    num_finished = 0
    while num_finished < len(state.rounds):
        this = state.rounds[num_finished]
        left = left[: this.num_sources]
        is_new = not all(state.is_settled(candidate, this.kimg) for candidate in left)
        if num_finished and is_new and not _has_time(state, num_finished, budget_sec):
            on_note("the time is up before the last round of probes")
            break
        for candidate in left:
            _probe(candidate, this.kimg, prober, state, on_note)
        results = {candidate: state.measured(candidate, this.kimg) for candidate in left}
        known = {candidate: result for candidate, result in results.items() if result is not None}
        left = sorted(known, key=lambda candidate: known[candidate].value)
        num_finished += 1
        if len(left) < 2:
            break
        if num_finished == len(state.rounds) and not differ(known[left[0]], known[left[1]]):
            _extend(state, budget_sec, on_note)
    if not left:
        raise _none_left(state)
    return Probes(state.rounds, num_finished, state.costs, state.spent_sec, state.probed())


def _plan(
    candidates: Sequence[Candidate],
    prober: Prober,
    state: ProbeState,
    budget_sec: float,
    first_kimg: float | None,
    on_note: OnNote,
) -> None:
    if first_kimg is not None:
        names = tuple(candidate.name for candidate in candidates)
        state.plan(halving(len(names), first_kimg), names, None)
        return
    costs = _calibrate(candidates, prober, state, on_note)
    names = tuple(candidate.name for candidate in candidates if candidate.name not in state.failed)
    rounds = plan_rounds(len(names), budget_sec, costs, spent_sec=state.spent_sec)
    state.plan(rounds, names[: rounds[0].num_sources], costs)


def _calibrate(candidates: Sequence[Candidate], prober: Prober, state: ProbeState, on_note: OnNote) -> Costs:
    """Begins the first probe and returns what it costs; the probe goes on from there."""
    for candidate in candidates:
        start = time.monotonic()
        with state.timing():
            try:
                log = prober.train(candidate, _CALIBRATION_KIMG)
                prober.measure(candidate)
            except ProbeFailedError as error:
                _drop(candidate, error, state, on_note)
                continue
        seconds = time.monotonic() - start
        if log is None or log.img_per_sec is None:  # a batch so large that no line was due
            return Costs(launch_sec=seconds / 2, kimg_sec=seconds / 2 / _CALIBRATION_KIMG)
        kimg_sec = 1000 / log.img_per_sec
        return Costs(max(seconds - log.kimg * kimg_sec, 0.0), kimg_sec)
    raise _none_left(state)


def _probe(candidate: Candidate, kimg: float, prober: Prober, state: ProbeState, on_note: OnNote) -> None:
    if state.is_settled(candidate, kimg):
        return
    with state.timing():
        try:
            prober.train(candidate, kimg)
        except ProbeFailedError as error:
            _drop(candidate, error, state, on_note)
            return
        distance = prober.measure(candidate)
    state.keep(candidate, kimg, distance)
    on_note(f"{candidate.name}: {FD_EFFLITE0.name} {distance.value:.1f} after {kimg:g} kimg")


def _drop(candidate: Candidate, error: ProbeFailedError, state: ProbeState, on_note: OnNote) -> None:
    state.fail(candidate, str(error))
    on_note(f"{candidate.name} cannot be trained from: {error}")


def _has_time(state: ProbeState, number: int, budget_sec: float) -> bool:
    """Whether at least half of a round still fits: for less a plan is not broken off."""
    assert state.rounds is not None
    if state.costs is None:
        return True
    needed_sec = state.costs.of_round(state.rounds[number], state.rounds[number - 1].kimg)
    return state.spent_sec + needed_sec / 2 <= budget_sec


def _extend(state: ProbeState, budget_sec: float, on_note: OnNote) -> None:
    """Adds a round for the last two sources, if it fits."""
    assert state.rounds is not None
    kimg = state.rounds[-1].kimg
    more = Round(2, 2 * kimg)
    if state.costs is None or state.spent_sec + state.costs.of_round(more, kimg) > budget_sec:
        return
    on_note("the last two cannot be told apart, and there is time: one more round")
    state.plan((*state.rounds, more), state.names, state.costs)


def _none_left(state: ProbeState) -> InputError:
    name, reason = next(iter(state.failed.items()))
    return InputError(f"sources: none of them can be trained from; {name}: {reason}")
