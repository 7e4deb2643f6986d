"""Means of scalars between two log lines; part of the training state, so that a resume logs the same."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Meters:
    """Running sums by name."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, **values: float) -> None:
        """Adds one observation of each named scalar."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def take_means(self) -> dict[str, float]:
        """Returns the means since the last call, and starts anew."""
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means

    def state_dict(self) -> dict[str, dict[str, float] | dict[str, int]]:
        """Returns JSON-ready values."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load_state_dict(self, state: dict[str, dict[str, float] | dict[str, int]]) -> None:
        """Takes over `state_dict`'s values."""
        self.sums = {name: float(value) for name, value in state["sums"].items()}
        self.counts = {name: int(value) for name, value in state["counts"].items()}
