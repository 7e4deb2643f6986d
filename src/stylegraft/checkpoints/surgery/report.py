"""What became of each tensor of a source, and why: printed before training, and kept with the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_SHOWN = 3  # names in a line


@dataclass
class NetworkReport:
    """The tensors of one network by what happened to them; each name is in exactly one place.

    Attributes:
        copied: taken over as they are.
        reshaped: name -> why; taken over after a change of shape or values.
        reinitialised: name -> why; of the new network, not of the source.
        left_over: name -> why; tensors of the source that the new network has no place for.
    """

    copied: list[str] = field(default_factory=list)
    reshaped: dict[str, str] = field(default_factory=dict)
    reinitialised: dict[str, str] = field(default_factory=dict)
    left_over: dict[str, str] = field(default_factory=dict)

    def changes(self) -> list[tuple[str, str, list[str]]]:
        """Returns (what, why, names) for all that was not copied, names of one reason together."""
        groups: dict[tuple[str, str], list[str]] = {}
        for what in ("reshaped", "reinitialised", "left_over"):
            for name, why in getattr(self, what).items():
                groups.setdefault((what, why), []).append(name)
        return [(what, why, names) for (what, why), names in groups.items()]


@dataclass
class SurgeryReport:
    """What an operation did, by network; G stands for its average too, which is treated alike.

    Attributes:
        networks: "G" and, where the source has one, "D".
        notes: what is more than a matter of single tensors, such as a loss of what the source knew.
    """

    networks: dict[str, NetworkReport] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def is_plain_copy(self) -> bool:
        """Whether the networks are the source's, tensor by tensor."""
        return not self.notes and not any(network.changes() for network in self.networks.values())

    def lines(self) -> list[str]:
        """Returns sentences for people: the notes, then a line for each network and reason."""
        lines = list(self.notes)
        for name, network in self.networks.items():
            for what, why, tensors in network.changes():
                shown = ", ".join(tensors[:_SHOWN]) + (", ..." if len(tensors) > _SHOWN else "")
                lines.append(f"{name}: {len(tensors)} {what.replace('_', ' ')}, {why} ({shown})")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Returns the report ready for JSON; of the tensors that were copied only the number."""
        networks = {
            name: {
                "copied": len(network.copied),
                "changed": [
                    {"what": what, "why": why, "tensors": tensors} for what, why, tensors in network.changes()
                ],
            }
            for name, network in self.networks.items()
        }
        return {"notes": self.notes, "networks": networks}
