"""Optional libraries: a missing one is named in one line, with the command that adds it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from stylegraft.errors import InputError


def require(libraries: Sequence[str], extra: str, purpose: str) -> None:
    """Makes sure that libraries of an extra are installed, without importing them.

    Raises:
        InputError: one is not; the message has the pip command.
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{purpose}: expected {', '.join(missing)} to be installed, found none. "
            f"Run: pip install 'stylegraft[{extra}]'"
        )
