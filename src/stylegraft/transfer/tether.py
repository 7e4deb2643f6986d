"""Runs `stylegraft` in a process that ends with the one that started it.

    python -m stylegraft.transfer.tether LOCK train ...      as `python -m stylegraft train ...`, but tethered

Standard input is the tether: a pipe whose other end only the starter holds. When the starter closes it or
dies in whatever way (kill -9 included), this process gets SIGTERM, on which training saves and stops. No
process has to signal another, so it works alike on every system. The lock file is held while
the process lives: whoever comes after a killed starter can wait until nobody has the run any more.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from pathlib import Path

from stylegraft.errors import RunError
from stylegraft.transfer.lock import hold_lock


def _stop_when_the_tether_breaks() -> None:
    # Read without a buffer: Python locks a buffered reader, which a thread must not hold when Python ends.
    while os.read(sys.__stdin__.fileno(), 1):  # pyright: ignore[reportOptionalMemberAccess]
        pass
    signal.raise_signal(signal.SIGTERM)


def main() -> None:
    """Takes the lock, ties itself to standard input and becomes `python -m stylegraft`."""
    lock, *words = sys.argv[1:]
    try:
        with hold_lock(Path(lock), f"{lock}: another process still trains here. Wait for it, or end it."):
            threading.Thread(target=_stop_when_the_tether_breaks, daemon=True).start()
            sys.argv = ["stylegraft", *words]
            # By name, as the interpreter's -m does it: nothing imports the command line.
            runpy.run_module("stylegraft", run_name="__main__", alter_sys=True)
    except RunError as error:
        sys.exit(f"stylegraft: error: {error}")


if __name__ == "__main__":
    main()
