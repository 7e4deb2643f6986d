"""How OpenMP's threads wait for their next work. It is read when torch loads, so no torch here."""

from __future__ import annotations

from collections.abc import MutableMapping

ASLEEP = {"OMP_WAIT_POLICY": "passive"}
BRIEF = ASLEEP | {"GOMP_SPINCOUNT": "1000"}
"""Some microseconds of spinning, then asleep (GNU's runtime, torch's on Linux; others sleep at once).

A small network has thousands of parallel parts a step. To wake a thread for each costs more than the part; a
thread that spins on, as by default, keeps the one that it waits for from its core where cores are crowded.
"""


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Lets threads spin for a moment and then sleep, unless the user has said how they are to wait.

    Args:
        environment: of this process; changed.
    """
    if "OMP_WAIT_POLICY" not in environment:
        for name, value in BRIEF.items():
            environment.setdefault(name, value)
