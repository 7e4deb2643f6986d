"""Rows of the table of numbers: what each is called, how it is written, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SHARES = ("precision", "recall", "coverage")

_MEANINGS = {
    "fd_heldout": (
        "How far apart real and generated images lie as two clouds, seen by EfficientNet-Lite0 (Frechet "
        "distance). It is no FID: compare it with numbers of this name only, and only at equal counts, "
        "because few images raise it."
    ),
    "fd_train": (
        "The same to the images it was trained on: steadier, because there are more of them, but a "
        "generator that copies them does best of all."
    ),
    "kd_heldout": (
        "The same question asked of pairs of images (kernel distance). Few images do not raise it, so models "
        "measured with different counts may be compared."
    ),
    "kd_train": (
        "Clearly below the kernel distance to held-out images, it says that the generator has learnt its "
        "training images rather than what they have in common."
    ),
    "precision": "The share of generated images that lie among training images: how often they look right.",
    "recall": "The share of training images that lie among generated ones: how much of the variety is there.",
    "density": (
        "How many training images' neighbourhoods a generated image lies in; 1 is as dense as the real "
        "ones. Like precision, but a single odd training image cannot raise it."
    ),
    "coverage": (
        "The share of training images with a generated one in their neighbourhood. Like recall, but a "
        "single odd generated image cannot raise it. It falls when the generator repeats itself."
    ),
}


@dataclass(frozen=True)
class Number:
    """One row.

    Attributes:
        name: of the number.
        value: as text.
        interval: as text; empty if there is none.
        real: what real images score, as text; empty if not known.
        better: "lower" or "higher".
        meaning: in a sentence or two; empty for published settings.
        counts: how many images it was measured with.
        strip: where value, interval and real level stand between 0 and 1, by the names "value", "low",
            "high" and "real"; None without an interval.
    """

    name: str
    value: str
    interval: str
    real: str
    better: str
    meaning: str
    counts: str
    strip: dict[str, float] | None = None


def numbers(result: Mapping[str, Any]) -> list[Number]:
    """Returns the rows of a result of `stylegraft evaluate`: the default setting's, then published ones."""
    rows = [_default_row(name, row) for name, row in result.get("metrics", {}).items()]
    for name, row in result.get("published", {}).items():
        rows += _published_rows(name, row)
    return rows


def plain(value: float) -> str:
    """Returns a number with three or four digits that matter: 214, 78.1, 0.333, -0.0012."""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 99.95:  # would be rounded to 100.0
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3g}" if size >= 0.01 else f"{value:.4f}"


def percent(share: float) -> str:
    """Returns a share as people write it; a small one is never rounded to nothing."""
    return "under 1 %" if 0 < share <= 0.005 else f"{share:.0%}".replace("%", " %")


def _default_row(name: str, row: Mapping[str, Any]) -> Number:
    write = percent if name in _SHARES else plain
    real = row["real_level"]
    return Number(
        name=row["name"],
        value=write(row["value"]),
        interval="" if row["low"] is None else f"{write(row['low'])} to {write(row['high'])}",
        real="" if real is None else write(real["value"]),
        better=row["better"],
        meaning=_MEANINGS[name],
        counts=f"{row['num_fake']:,} generated, {row['num_real']:,} real",
        strip=_strip(row, highest=1.0 if name in _SHARES else 0.0),
    )


def _strip(row: Mapping[str, Any], highest: float) -> dict[str, float] | None:
    if row["low"] is None:
        return None
    places = {name: row[name] for name in ("value", "low", "high")}
    if row["real_level"] is not None:
        places["real"] = row["real_level"]["value"]
    lowest = min(0.0, *places.values())
    length = max(highest, *places.values()) - lowest
    return {name: (place - lowest) / (length or 1.0) for name, place in places.items()}


def _published_rows(name: str, row: Mapping[str, Any]) -> list[Number]:
    features = row["features"]
    counts = [
        f"{row[key]:,} {words}"
        for key, words in (("num_fake", "generated"), ("num_real", "real"), ("num_paths", "paths"))
        if key in row
    ]
    note = "" if row["is_as_published"] else " (not the published setting)"
    return [
        Number(
            name=f"{name}{note}" if len(row["values"]) == 1 else f"{name} {part.replace('_', ' ')}{note}",
            value=plain(value),
            interval="",
            real="",
            better="" if part.startswith("std") else row["better"],
            meaning=f"Features of {features.get('network', features.get('name'))}.",
            counts=", ".join(counts),
        )
        for part, value in row["values"].items()
    ]
