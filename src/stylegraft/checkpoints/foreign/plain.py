"""Settings of a foreign file as plain data."""

from __future__ import annotations

import math

from stylegraft.checkpoints.foreign.inert import Record
from stylegraft.checkpoints.foreign.limits import Reading, printable


def plain(value: object, reading: Reading) -> object:
    """Returns JSON-ready data: objects and raw bytes become a text that names their type.

    Every value is charged, since data without cycles may still repeat a list of lists without end. The depth
    was checked when the file was read.
    """
    reading.spend_value()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item, reading) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, reading) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(str(item) for item in value)
    return f"<{printable(value.class_name) if isinstance(value, Record) else type(value).__name__}>"
