"""What became of each tensor of a foreign file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class LoadReport:
    """Names of tensors, each in exactly one list; names start with the network, such as `G_ema.`.

    Attributes:
        copied: taken over as they are (floating types become float32).
        reshaped: taken over after a change of layout.
        verified: not kept because the config says the same, after checking that it does (FIR filters).
        left_over: of no use here.
        missing: expected and not in the file.
    """

    copied: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Returns the lists by name, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = []
        for label, names in self.to_dict().items():
            lines.append(f"{label.replace('_', ' ')}: {len(names)}")
            if label in ("left_over", "missing"):
                lines += [f"  {name}" for name in names]
        return "\n".join(lines)
