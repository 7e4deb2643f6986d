"""Which source to start from: a quick score from features, and short probes. The names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegraft.transfer.ranking.candidates import Candidate, find_candidates
    from stylegraft.transfer.ranking.rank import rank_sources
    from stylegraft.transfer.ranking.record import RankedSource, Ranking

_MODULES = {
    "Candidate": "candidates",
    "RankedSource": "record",
    "Ranking": "record",
    "find_candidates": "candidates",
    "rank_sources": "rank",
}

__all__ = ["Candidate", "RankedSource", "Ranking", "find_candidates", "rank_sources"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
