"""What a graft gained, in a sentence: every way in which it can end."""

from __future__ import annotations

import pytest

from stylegraft.errors import InputError
from stylegraft.transfer.study.gain import gain_sentence
from stylegraft.transfer.study.record import Cell, MeasuredPoint


def cell(source: str, *distances: float, counts_first: bool = True) -> Cell:
    """A cell that measured a distance every 60 seconds, the first one before any training."""
    curve = [
        MeasuredPoint(kimg=step, train_sec=60.0 * step, distance=distance)
        for step, distance in enumerate(distances)
    ]
    best = min(curve if counts_first else curve[1:], key=lambda point: point.distance, default=None)
    folder = f"cells/beans/{source}/seed0"
    return Cell(
        id=f"beans/{source}/seed0",
        target="beans",
        source=source,
        seed=0,
        folder=folder,
        command="",
        curve=tuple(curve),
        best=best,
        floor=12.3,
    )


SCRATCH = cell("scratch", 50.0, 300.0, 200.0, counts_first=False)  # noise can score well, and does not count


@pytest.mark.parametrize(
    ("distances", "says"),
    [
        (
            (250.0, 190.0, 100.0),
            "The graft gained: FD-EffLite0 came to 100.0 from fashion and to 200.0 from scratch in the same "
            "time (real images score 12.3); what scratch reached after 2.0 min, it had after 60 s.",
        ),
        ((150.0, 190.0, 100.0), "it had before it was trained at all."),
        (
            (250.0, 230.0, 210.0),
            "The graft gained nothing here: FD-EffLite0 came to 210.0 from fashion and to",
        ),
    ],
)
def test_gain_is_said_with_its_numbers(distances: tuple[float, ...], says: str) -> None:
    assert says in gain_sentence(cell("fashion", *distances), SCRATCH)


def test_gain_of_what_was_not_measured_is_refused() -> None:
    with pytest.raises(InputError, match="beans/fashion/seed0: expected a distance"):
        gain_sentence(cell("fashion"), SCRATCH)
