"""Where weights came from and under which terms: what every written model says of its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Facts on the file that was opened, which a copy of its networks must not repeat as its own.
_OF_THE_FILE = ("format", "path", "sha256")


def carried_facts(info: dict[str, Any], licence: str | None, data_note: str | None) -> dict[str, Any]:
    """Returns what a copy of an opened model says of itself.

    Args:
        info: of `OpenedCheckpoint` or `Model`.
        licence: terms of the weights; None keeps what the source says.
        data_note: what it was trained on; None keeps what the source says.

    Returns:
        The source's facts with "source" (format, file, sha256 of the first file in a chain of copies), and
        "licence" and "data_note" where they are known. The file's folder is left out: it is private.
    """
    facts = {name: value for name, value in info.items() if name not in _OF_THE_FILE}
    if not isinstance(facts.get("source"), dict):
        facts["source"] = {
            "format": info["format"],
            "file": Path(info["path"]).name,
            "sha256": info["sha256"],
        }
    for name, value in (("licence", licence), ("data_note", data_note)):
        if value is not None:
            facts[name] = value
    return facts
