"""Who trained a run: a line for each start and each resume, with its command, machine and release."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import stylegraft
from stylegraft.errors import RunError
from stylegraft.runtime.machine import describe_machine

SESSIONS_NAME = "sessions.jsonl"


def note_session(folder: Path) -> None:
    """Appends a line to RUN/sessions.jsonl: when, by which command, on which machine, with which release.

    Raises:
        RunError: it cannot be written.
    """
    program = Path(sys.argv[0]).stem
    words = ["stylegraft" if program == "__main__" else program, *sys.argv[1:]]
    session = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(words),
        "version": stylegraft.__version__,
        "machine": describe_machine(),
    }
    try:
        with (folder / SESSIONS_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(session) + "\n")
    except OSError as error:
        raise RunError(
            f"cannot write {folder / SESSIONS_NAME}: {error.strerror or error}. "
            "Check free space and permissions."
        ) from error
