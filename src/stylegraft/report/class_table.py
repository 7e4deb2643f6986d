"""The table of an evaluation class by class, as text for a terminal or a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylegraft.report.numbers import percent, plain

HEADER = (
    "class",
    "training images",
    "as asked",
    "else taken for",
    "held-out right",
    "KD",
    "precision (real)",
    "coverage (real)",
)


def class_table(by_class: Mapping[str, Any]) -> list[list[str]]:
    """Returns a row of texts a class, in the order of `HEADER`.

    Args:
        by_class: of `stylegraft evaluate --by-class`.
    """
    return [
        [
            row["class"],
            f"{row['num_train']:,} ({percent(row['share'])})",
            f"{percent(row['agreement']['value'])} "
            f"({100 * row['agreement']['low']:.0f} to {100 * row['agreement']['high']:.0f})",
            ", ".join(f"{name} {percent(share)}" for name, share in row["taken_for"].items()),
            f"{row['heldout_right']:,} of {row['num_heldout']:,}" if row["num_heldout"] else "none",
            "too few" if row["kd"] is None else plain(row["kd"]["value"]),
            _share(row["precision"]),
            _share(row["coverage"]),
        ]
        for row in by_class["rows"]
    ]


def _share(row: Mapping[str, Any] | None) -> str:
    return "too few" if row is None else f"{percent(row['value'])} ({percent(row['real_level']['value'])})"
