"""Rounds of probes with a prober that only pretends: who stays, and what a second session repeats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stylegraft.errors import InputError
from stylegraft.metrics.intervals import Interval
from stylegraft.transfer.launch import RunLog
from stylegraft.transfer.ranking.candidates import Candidate
from stylegraft.transfer.ranking.halving import Probes, run_probes
from stylegraft.transfer.ranking.probe import ProbeFailedError
from stylegraft.transfer.ranking.resampling import Resampled
from stylegraft.transfer.ranking.schedule import BudgetTooSmallError, Round
from stylegraft.transfer.ranking.state import STATE_NAME, ProbeState

NAMES = ["far", "near", "scratch", "middle", "broken", "late"]
# Distances fall with training, of "late" only after 0.2 kimg.
START = {"far": 300, "near": 100, "scratch": 400, "middle": 200, "broken": 0, "late": 250}


class Pretender:
    """Trains in no time, for a price that is told."""

    def __init__(self, broken: str | None = "broken", dies_at: int | None = None) -> None:
        self.trained: list[tuple[str, float]] = []
        self._broken, self._dies_at = broken, dies_at
        self._kimg: dict[str, float] = {}

    def train(self, candidate: Candidate, kimg: float) -> RunLog:
        if candidate.name == self._broken:
            raise ProbeFailedError("--from: another family.")
        if len(self.trained) == self._dies_at:
            raise KeyboardInterrupt
        self.trained.append((candidate.name, kimg))
        self._kimg[candidate.name] = kimg
        return RunLog(kimg, 1.0, 2000.0, None, ())

    def measure(self, candidate: Candidate) -> Resampled:
        kimg = self._kimg[candidate.name]
        value = START[candidate.name] - 10 * kimg
        if candidate.name == "late" and kimg > 0.2:
            value = 1.0
        return Resampled(Interval(value, value - 1, value + 1, 0.95, 0.5, 1.0), np.linspace(-1, 1, 5))


def candidates(*names: str) -> list[Candidate]:
    return [Candidate(name, Path(name), name) for name in names]


def probe(
    folder: Path, prober: Pretender, names: list[str] = NAMES, *, minutes: float = 0, **identity: object
) -> Probes:
    notes: list[str] = []
    return run_probes(
        candidates(*names),
        prober,  # pyright: ignore
        ProbeState(folder, {"seed": 0, **identity}),
        budget_sec=minutes * 60,
        first_kimg=None if minutes else 0.1,
        on_note=notes.append,
    )


def kimgs(probes: Probes, name: str) -> list[float]:
    return [kimg for kimg, _ in probes.probed[name].distances]


def test_better_half_goes_on_for_twice_as_long(tmp_path: Path) -> None:
    prober = Pretender()
    found = probe(tmp_path, prober)
    assert [(this.num_sources, this.kimg) for this in found.rounds] == [(6, 0.1), (3, 0.2), (2, 0.4)]
    assert kimgs(found, "near") == [0.1, 0.2, 0.4]
    assert kimgs(found, "middle") == [0.1, 0.2, 0.4]
    assert kimgs(found, "late") == [0.1, 0.2]
    assert kimgs(found, "far") == kimgs(found, "scratch") == [0.1]
    assert found.last_kimg == 0.4
    assert found.costs is None


def test_source_that_cannot_be_trained_from_is_dropped_with_the_reason(tmp_path: Path) -> None:
    found = probe(tmp_path, Pretender())
    assert found.probed["broken"].error == "--from: another family."
    assert found.probed["broken"].distances == ()
    with pytest.raises(InputError, match="none of them can be trained from; broken: --from: another family"):
        probe(tmp_path / "alone", Pretender(), ["broken"], minutes=5)


@pytest.mark.parametrize("dies_at", range(9))
def test_killed_probes_go_on_and_repeat_nothing(tmp_path: Path, dies_at: int) -> None:
    whole = probe(tmp_path / "whole", Pretender())
    first, second = Pretender(dies_at=dies_at), Pretender()
    with pytest.raises(KeyboardInterrupt):
        probe(tmp_path / "killed", first)
    again = probe(tmp_path / "killed", second)
    assert first.trained + second.trained == [
        *((name, 0.1) for name in NAMES if name != "broken"),
        *((name, 0.2) for name in ("near", "middle", "late")),
        *((name, 0.4) for name in ("near", "middle")),
    ]
    assert {name: kimgs(again, name) for name in NAMES} == {name: kimgs(whole, name) for name in NAMES}


def test_budget_decides_who_takes_part(tmp_path: Path) -> None:
    # 0.5 s a kimg and launches for nothing: all fit into a minute; the calibration is the first one's begin.
    prober = Pretender(broken=None)
    found = probe(tmp_path / "long", prober, minutes=1)
    assert prober.trained[0] == ("far", 0.5)
    assert found.rounds[0].num_sources == 6
    assert found.costs is not None
    assert found.costs.kimg_sec == pytest.approx(0.5)
    short = probe(tmp_path / "short", Pretender(broken=None), minutes=1.2 / 60)
    assert set(short.probed) == {"far", "near"}
    with pytest.raises(BudgetTooSmallError):
        probe(tmp_path / "none", Pretender(), minutes=0.1 / 60)


def test_calibration_goes_to_the_next_source_if_the_first_one_fails(tmp_path: Path) -> None:
    prober = Pretender()
    found = probe(tmp_path, prober, ["broken", "near", "far"], minutes=1)
    assert prober.trained[0] == ("near", 0.5)
    assert found.rounds[0].num_sources == 2
    assert kimgs(found, "far")


def test_round_that_does_not_fit_any_more_is_left_out(tmp_path: Path) -> None:
    state = ProbeState(tmp_path, {})
    notes: list[str] = []

    def spend(text: str) -> None:
        notes.append(text)
        state.spent_sec += 30

    found = run_probes(
        candidates("far", "near", "scratch"),
        Pretender(),  # pyright: ignore
        state,
        budget_sec=70,
        first_kimg=None,
        on_note=spend,
    )
    assert found.num_finished == 1
    assert found.last_kimg == found.rounds[0].kimg
    assert notes[-1] == "the time is up before the last round of probes"
    # A later session reports the same instead of going on.
    again = run_probes(
        candidates("far", "near", "scratch"),
        Pretender(),  # pyright: ignore
        state,
        budget_sec=70,
        first_kimg=None,
        on_note=spend,
    )
    assert again.num_finished == 1


def test_last_two_that_are_tied_go_on_while_there_is_time(tmp_path: Path) -> None:
    class Tied(Pretender):
        def measure(self, candidate: Candidate) -> Resampled:
            value = 100.0 + (candidate.name == "near")
            errors = np.linspace(-1, 1, 5) * (5 if candidate.name == "near" else -5)
            return Resampled(Interval(value, value - 9, value + 9, 0.95, 4.5, 9.0), errors)

    prober = Tied(broken=None)
    first = probe(tmp_path / "tied", prober, ["far", "near"], minutes=2)
    rounds = [this.kimg for this in first.rounds]
    assert len(rounds) > 1
    assert rounds == [rounds[0] * 2**number for number in range(len(rounds))]
    assert first.costs is not None
    # The pretender takes no time, so that each round has all of it.
    assert first.costs.of_round(first.rounds[-1], rounds[-2]) <= 120
    assert first.costs.of_round(Round(2, 2 * rounds[-1]), rounds[-1]) > 120
    assert kimgs(first, "far") == kimgs(first, "near") == rounds
    again = probe(tmp_path / "tied", Tied(broken=None, dies_at=0), ["far", "near"], minutes=2)
    assert again.rounds == first.rounds
    clear = probe(tmp_path / "clear", Pretender(), ["far", "near"], minutes=2)
    assert len(clear.rounds) == 1


def test_folder_of_other_probes_is_refused(tmp_path: Path) -> None:
    probe(tmp_path / "probes", Pretender())
    with pytest.raises(InputError, match=r"holds a ranking with other settings: num, seed changed"):
        ProbeState(tmp_path / "probes", {"seed": 1, "num": 3})


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 2}', "null"])
def test_damaged_state_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_NAME).write_text(text)
    with pytest.raises(InputError, match="expected the state of probes"):
        ProbeState(tmp_path, {})


def test_state_is_plain_json(tmp_path: Path) -> None:
    probe(tmp_path, Pretender())
    values = json.loads((tmp_path / STATE_NAME).read_text())
    assert values["names"] == NAMES
    assert values["failed"] == {"broken": "--from: another family."}
    assert [item["kimg"] for item in values["measured"]["near"]] == [0.1, 0.2, 0.4]
