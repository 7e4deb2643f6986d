"""What a trained source gained over random weights, of one pair of cells, in a sentence. No torch."""

from __future__ import annotations

from stylegraft.errors import InputError
from stylegraft.transfer.study.record import Cell


def gain_sentence(graft: Cell, scratch: Cell) -> str:
    """Returns what the graft gained, or that it gained nothing.

    Args:
        graft: a cell that began with a trained source.
        scratch: one that began with random weights: of the same target, budget and seed.

    Raises:
        InputError: one of them has no distance.
    """
    if graft.best is None or scratch.best is None:
        missing = graft if graft.best is None else scratch
        raise InputError(f"{missing.id}: expected a distance, got none. Give it more time.")
    ours, theirs = graft.best.distance, scratch.best.distance
    real = "" if graft.floor is None else f" (real images score {graft.floor:.1f})"
    numbers = (
        f"FD-EffLite0 came to {ours:.1f} from {graft.source} and to {theirs:.1f} from scratch "
        f"in the same time{real}"
    )
    if ours >= theirs:
        return f"The graft gained nothing here: {numbers}."
    passed = next(point for point in graft.curve if point.distance <= theirs)
    scratch_time, graft_time = _clock(scratch.best.train_sec), _clock(passed.train_sec)
    when = f"after {graft_time}" if passed.kimg else "before it was trained at all"
    return f"The graft gained: {numbers}; what scratch reached after {scratch_time}, it had {when}."


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
