"""Settings of a foreign file as plain data."""

from __future__ import annotations

import math

from stylegraft.checkpoints.foreign.inert import Record
from stylegraft.checkpoints.foreign.limits import Reading, printable

_MAX_TEXT_CHARS = 1_000


def plain(value: object, reading: Reading) -> object:
    """Returns JSON-ready data: objects and raw bytes become a text that names their type.

    Every value is charged, since data without cycles may still repeat a list of lists without end. The depth
    was checked when the file was read. Text is cut, since it may be repeated as well, and what is
    no printable character is escaped, since people will see it on a terminal.
    """
    reading.spend_value()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    if isinstance(value, str):
        return _shown(value)
    if value is None or isinstance(value, int | float | bool):
        return value
    if isinstance(value, dict):
        return {_shown(str(key)): plain(item, reading) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, reading) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(str(plain(item, reading)) for item in value)
    return f"<{printable(value.class_name) if isinstance(value, Record) else type(value).__name__}>"


def _shown(text: str) -> str:
    if len(text) > _MAX_TEXT_CHARS:
        text = text[:_MAX_TEXT_CHARS] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
