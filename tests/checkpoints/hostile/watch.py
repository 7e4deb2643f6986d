"""Notices what the interpreter does while a file is read: imports, code, writing, processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# The beginnings of audit events that no reading of a file may raise.
_FORBIDDEN = (
    "compile",
    "cpython.",
    "ctypes.",
    "exec",
    "fcntl.",
    "glob.",
    "import",
    "marshal.",
    "os.",
    "pickle.",
    "shutil.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SHOWN_CHARS = 200

_seen: list[str] | None = None


def _note(event: str, args: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    writes = event == "open" and isinstance(args[2], int) and bool(args[2] & _WRITING)
    if writes or event.startswith(_FORBIDDEN):
        _seen.append(f"{event} {args[:1]!r}"[:_SHOWN_CHARS])


sys.addaudithook(_note)  # for the life of the process: there is no way to take a hook away


@contextmanager
def watched() -> Iterator[list[str]]:
    """Yields the list of what was done inside the block, filled as it happens."""
    global _seen
    seen: list[str] = []
    _seen = seen
    try:
        yield seen
    finally:
        _seen = None


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Fails if the interpreter imports, compiles, executes or writes anything inside the block."""
    with watched() as seen:
        yield
    assert not seen, seen
