"""The result: sources in order, why, and how sure; as `sources.json` keeps it. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stylegraft import __version__
from stylegraft.files import write_text

RESULT_NAME = "sources.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RankedSource:
    """A source in its place.

    Attributes:
        name: of the zoo, or of the file.
        path: what `stylegraft train --from` takes; "scratch" for networks with random weights.
        sha256: of the generator; None for scratch.
        quick: the quick score and its parts, see `QuickScore.to_dict`; None for scratch.
        probe: "kimg" and "distance" (an interval) of its last round, and "rounds"; None if it was not probed.
        error: why it cannot be trained from; None if it can, or if that was not tried.
        is_tied: it cannot be told from the first one.
        why: one sentence.
    """

    name: str
    path: str
    sha256: str | None
    quick: dict[str, Any] | None
    probe: dict[str, Any] | None
    error: str | None
    is_tied: bool
    why: str


@dataclass(frozen=True)
class Ranking:
    """Sources of a target, the best one first.

    Attributes:
        sources: in their order.
        data: the target: path, content_hash, num_train, num_heldout, size, variability.
        settings: what was asked for, with the weights of the score.
        probes: the plan, what was finished, costs; None if there were none.
        sureness: how sure the first place is, in plain sentences.
        notes: what else there is to know.
        seconds: it took.
    """

    sources: tuple[RankedSource, ...]
    data: dict[str, Any]
    settings: dict[str, Any]
    probes: dict[str, Any] | None
    sureness: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def best(self) -> RankedSource:
        """The first one."""
        return self.sources[0]

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-ready values."""
        return {"schema_version": SCHEMA_VERSION, "version": __version__, **asdict(self)}

    def summary(self) -> dict[str, Any]:
        """Returns what a run keeps of how its source was chosen, JSON-ready."""
        return {
            "order": [source.name for source in self.sources],
            "scores": _values(self.sources, "quick", "score"),
            "distances": _values(self.sources, "probe", "distance"),
            "why": self.best.why,
            "sureness": " ".join(self.sureness),
            "seed": self.settings["seed"],
        }

    def write(self, folder: Path) -> Path:
        """Writes `sources.json`, atomically, and returns its path."""
        path = folder / RESULT_NAME
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")
        return path


def _values(sources: tuple[RankedSource, ...], part: str, name: str) -> dict[str, float]:
    parts: Mapping[str, dict[str, Any] | None] = {source.name: getattr(source, part) for source in sources}
    return {source: round(values[name]["value"], 2) for source, values in parts.items() if values is not None}
