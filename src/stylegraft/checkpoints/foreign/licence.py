"""The licence notice on top of the source text that the official files carry and that is never executed."""

from __future__ import annotations

import re

_MAX_CHARS = 600
_HEAD_BYTES = 1 << 20
_NOTICE = re.compile(rb"# ?Copyright[^\n]{0,200}(?:\n#[^\n]{0,200}){0,20}")


def licence_of_source(source: str) -> str | None:
    """Returns the comment on top of a source text in one line, if it speaks of a licence."""
    words = []
    for line in source[: 4 * _MAX_CHARS].lstrip("\ufeff\r\n").splitlines():
        if not line.startswith("#"):
            break
        words += line.lstrip("#").split()
    text = " ".join(words)
    if "licen" not in text.lower():
        return None
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _MAX_CHARS else text[:_MAX_CHARS] + "..."


def licence_of_pickle(data: memoryview) -> str | None:
    """Returns the notice of the first source text in a pickle; the text stands near its beginning."""
    found = _NOTICE.search(data[:_HEAD_BYTES])
    return licence_of_source(found[0].decode("utf-8", errors="replace")) if found else None
