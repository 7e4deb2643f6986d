"""Reads the whole corpus in a process of its own; fails when anything is done but reading and refusing."""

from __future__ import annotations

import sys
from pathlib import Path

from hostile.corpus import FILES
from hostile.watch import watched

import stylegraft
from stylegraft.errors import CheckpointError


def main() -> int:
    """Returns 0 when every file was refused and nothing else happened."""
    path = Path("x.pkl").resolve()
    path.write_bytes(b"\x80\x02.")
    assert _is_refused(path)  # `load` imports the readers when it is first called
    for name, hostile in FILES.items():
        path.write_bytes(hostile.make())
        with watched() as seen:
            refused = _is_refused(path)
        if seen or not refused:
            print(f"{name}: {seen or 'it was read'}", file=sys.stderr)
            return 1
    print(f"{len(FILES)} refused")
    return 0


def _is_refused(path: Path) -> bool:
    try:
        stylegraft.load(path, device="cpu")
    except CheckpointError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
