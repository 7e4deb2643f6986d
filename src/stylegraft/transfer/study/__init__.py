"""The study: which source is the best start for which images, by training all pairs.

    config     what is trained: flags or a file
    check      what can be wrong with it, before anything trains
    record     study.json, and who may go on with it
    cell       one training of it, and what has become of it
    engines    who runs the cells
    progress   what one sees meanwhile
    run        all of it
    summary    the order of the sources

The public names are loaded on first use, because the command line needs the config alone for its help.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegraft.transfer.study.config import StudySettings, read_plan
    from stylegraft.transfer.study.record import Cell, StudyRecord, read_record
    from stylegraft.transfer.study.run import run_study
    from stylegraft.transfer.study.summary import source_orders

__all__ = ["Cell", "StudyRecord", "StudySettings", "read_plan", "read_record", "run_study", "source_orders"]

_MODULES = {
    "Cell": "record",
    "StudyRecord": "record",
    "StudySettings": "config",
    "read_plan": "config",
    "read_record": "record",
    "run_study": "run",
    "source_orders": "summary",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
