"""The time a run still takes."""

from __future__ import annotations

import pytest

from stylegraft.training import pace as pace_module
from stylegraft.training.pace import Pace


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    clock = [1000.0]
    monkeypatch.setattr(pace_module.time, "monotonic", lambda: clock[0])
    return clock


def test_time_left_follows_the_pace_of_this_session(clock):
    pace = Pace()
    assert pace.seconds_left(0.5) is None  # half was done before: in what time does not matter
    clock[0] += 60
    assert pace.seconds_left(0.6) == pytest.approx(240)
    clock[0] += 120
    assert pace.seconds_left(0.9) == pytest.approx(45)


def test_time_left_is_not_known_after_going_back(clock):
    pace = Pace()
    pace.seconds_left(0.5)
    clock[0] += 60
    assert pace.seconds_left(0.4) is None
