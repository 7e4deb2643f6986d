"""Evaluation: a model and an image set in, numbers out. The public names are loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegraft.evaluation.distance import DistanceEvaluator, DistanceResult
    from stylegraft.evaluation.evaluate import evaluate_model
    from stylegraft.evaluation.stats_cache import StatsCache

_MODULES = {
    "DistanceEvaluator": "distance",
    "DistanceResult": "distance",
    "StatsCache": "stats_cache",
    "evaluate_model": "evaluate",
}

__all__ = ["DistanceEvaluator", "DistanceResult", "StatsCache", "evaluate_model"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
