"""How long a run still takes, judged by the steps of this session."""

from __future__ import annotations

import time


class Pace:
    """Knows the pace since the first time it was asked.

    What came before says little: earlier sessions ran on a machine more or less busy, and the first step
    comes after what happens once (a distance at 0 kimg, compiled kernels, memory that is new).
    """

    def __init__(self) -> None:
        self._since: tuple[float, float] | None = None

    def seconds_left(self, done: float) -> float | None:
        """Returns the seconds until the share done, from 0 to 1, is 1; None as long as nothing says it."""
        now = time.monotonic()
        if self._since is None:
            self._since = now, done
        start, done_before = self._since
        return (now - start) * (1 - done) / (done - done_before) if done > done_before else None
