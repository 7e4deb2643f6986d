"""Checkpoints that other software wrote, read safely: nothing in a file is executed, imported or looked up.

`read_foreign` reads a file, `sniff` tells what a file is. Names are loaded on first use, because the readers
need torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegraft.checkpoints.foreign.contents import ForeignCheckpoint
    from stylegraft.checkpoints.foreign.formats import sniff
    from stylegraft.checkpoints.foreign.reader import read_foreign
    from stylegraft.checkpoints.foreign.report import LoadReport

__all__ = ["ForeignCheckpoint", "LoadReport", "read_foreign", "sniff"]

_HOMES = {
    "ForeignCheckpoint": "contents",
    "LoadReport": "report",
    "read_foreign": "reader",
    "sniff": "formats",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
