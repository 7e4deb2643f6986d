"""What is known of the probes, in a file that is rewritten after each of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stylegraft.errors import InputError
from stylegraft.files import write_text
from stylegraft.transfer.ranking.candidates import Candidate
from stylegraft.transfer.ranking.resampling import Resampled
from stylegraft.transfer.ranking.schedule import Costs, Round

STATE_NAME = "probes.json"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class Probed:
    """What became of a source in the probes.

    Attributes:
        distances: (kimg, distance) of each round that it took part in, the first one first.
        error: why it cannot be trained from; None if it can.
    """

    distances: tuple[tuple[float, Resampled], ...]
    error: str | None


class ProbeState:
    """The plan, the time spent, and each distance; made anew, or read from what an earlier session left.

    Attributes:
        rounds: the plan; None before there is one.
        names: who takes part in the first round.
        costs: what it was made with; None if the length of the probes was given.
        spent_sec: time taken by finished probes, over all sessions.
        failed: why a source cannot be trained from, by name.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Opens the state in `folder`.

        Args:
            folder: of the probes.
            identity: JSON-ready: everything the probes depend on.

        Raises:
            InputError: the folder holds the probes of another ranking, or the file is damaged.
        """
        self._path = folder / STATE_NAME
        self._identity = dict(identity)
        self.rounds: tuple[Round, ...] | None = None
        self.names: tuple[str, ...] = ()
        self.costs: Costs | None = None
        self.spent_sec = 0.0
        self.failed: dict[str, str] = {}
        self._measured: dict[str, dict[float, Resampled]] = {}
        if self._path.exists():
            self._read()

    def plan(self, rounds: tuple[Round, ...], names: tuple[str, ...], costs: Costs | None) -> None:
        """Keeps the plan."""
        self.rounds, self.names, self.costs = rounds, names, costs
        self._write()

    def measured(self, candidate: Candidate, kimg: float) -> Resampled | None:
        """Returns the distance of a source's probe at so many kimg, or None."""
        return self._measured.get(candidate.name, {}).get(kimg)

    def is_settled(self, candidate: Candidate, kimg: float) -> bool:
        """Returns whether nothing is left to do for a source at so many kimg."""
        return candidate.name in self.failed or self.measured(candidate, kimg) is not None

    def keep(self, candidate: Candidate, kimg: float, distance: Resampled) -> None:
        """Keeps a distance."""
        self._measured.setdefault(candidate.name, {})[kimg] = distance
        self._write()

    def fail(self, candidate: Candidate, reason: str) -> None:
        """Keeps that a source cannot be trained from."""
        self.failed[candidate.name] = reason
        self._write()

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Counts the time of the block as spent."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.spent_sec += time.monotonic() - start

    def probed(self) -> dict[str, Probed]:
        """Returns what became of each source that took part, by name."""
        names = {**self._measured, **self.failed}
        return {
            name: Probed(tuple(sorted(self._measured.get(name, {}).items())), self.failed.get(name))
            for name in names
        }

    def _write(self) -> None:
        values = {
            "schema_version": _SCHEMA_VERSION,
            "identity": self._identity,
            "rounds": self.rounds and [asdict(this) for this in self.rounds],
            "names": self.names,
            "costs": self.costs and asdict(self.costs),
            "spent_sec": self.spent_sec,
            "failed": self.failed,
            "measured": {
                name: [{"kimg": kimg, "distance": distance.to_dict()} for kimg, distance in rounds.items()]
                for name, rounds in self._measured.items()
            },
        }
        write_text(self._path, json.dumps(values) + "\n")

    def _read(self) -> None:
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            if values["schema_version"] != _SCHEMA_VERSION:
                raise ValueError(f"schema_version {values['schema_version']}")
            self.rounds = values["rounds"] and tuple(Round(**this) for this in values["rounds"])
            self.names = tuple(values["names"])
            self.costs = values["costs"] and Costs(**values["costs"])
            self.spent_sec, self.failed = values["spent_sec"], dict(values["failed"])
            self._measured = {
                name: {item["kimg"]: Resampled.from_dict(item["distance"]) for item in rounds}
                for name, rounds in values["measured"].items()
            }
            identity = values["identity"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self._path}: expected the state of probes, got {error!r}. Name another folder with --out."
            ) from error
        changed = sorted(
            name for name in {*identity, *self._identity} if identity.get(name) != self._identity.get(name)
        )
        if changed:
            raise InputError(
                f"{self._path.parent.parent} (--out) holds a ranking with other settings: "
                f"{', '.join(changed)} changed. Name another folder, or repeat the command that began it."
            )
