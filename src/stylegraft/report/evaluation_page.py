"""The page `evaluation.html`: one file that needs nothing else, to read, to mail and to keep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stylegraft.report.charts import Chart, Frame, Line, line_chart
from stylegraft.report.class_table import HEADER, class_table
from stylegraft.report.embedding import Picture, small_picture
from stylegraft.report.findings import findings
from stylegraft.report.numbers import numbers, percent
from stylegraft.report.rendering import render

_PANELS = (
    ("Distance", ("held-out distance", "train distance", "distance while training")),
    ("Coverage", ("coverage",)),
    ("Share of suspected copies", ("copier share",)),
)
_MARKS = {"held-out": "overfits from here", "copying": "copies from here", "unstable": "gets worse from here"}


def evaluation_page(
    result: Mapping[str, Any],
    pictures: Mapping[str, np.ndarray],
    *,
    title: str,
    subtitle: str,
    class_pictures: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> str:
    """Returns the page of a result.

    Args:
        result: of `stylegraft evaluate`, as it is written to JSON.
        pictures: uint8 [n, H, W, C] each, see `evaluation.report_data.pictures_of`; may be empty.
        title: what was evaluated.
        subtitle: against what.
        class_pictures: training and generated ones by class, see `evaluation.report_data.class_pictures`.
    """
    shown = result.get("samples") or {}
    sheets = {
        "samples": _sheet(pictures, "samples", [f"seed {seed}" for seed in shown.get("seeds", [])]),
        "reals": _sheet(pictures, "reals", []),
        "best": _sheet(pictures, "best", [f"seed {seed}" for seed in shown.get("best", [])]),
        "worst": _sheet(pictures, "worst", [f"seed {seed}" for seed in shown.get("worst", [])]),
    }
    return render(
        "evaluation.html",
        title=title,
        subtitle=subtitle,
        findings=findings(result),
        numbers=numbers(result),
        sheets=sheets,
        pairs=_pairs(shown.get("suspicious", []), pictures),
        charts=_charts(result.get("over_time")),
        over_time=result.get("over_time"),
        utility=result.get("utility"),
        by_class=_by_class(result.get("by_class"), class_pictures or {}),
        notes=result.get("notes", []),
        facts=_facts(result),
        json_text=json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=2),
    )


def _by_class(
    by_class: Mapping[str, Any] | None, pictures: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, Any] | None:
    if by_class is None:
        return None
    sheets = {
        name: [[small_picture(image, "") for image in side] for side in sides]
        for name, sides in pictures.items()
    }
    return {
        "sentence": by_class["sentence"],
        "header": HEADER,
        "rows": class_table(by_class),
        "sheets": sheets,
        "notes": by_class["notes"],
        "num_each": by_class["settings"]["num_each"],
    }


def _sheet(pictures: Mapping[str, np.ndarray], name: str, captions: Sequence[str]) -> list[Picture]:
    images = pictures.get(name, ())
    texts = captions or [""] * len(images)
    return [small_picture(image, text) for image, text in zip(images, texts)]


def _pairs(
    rows: Sequence[Mapping[str, Any]], pictures: Mapping[str, np.ndarray]
) -> list[tuple[Picture, Picture]]:
    pairs = []
    for row, fake, real in zip(rows, pictures.get("suspicious", ()), pictures.get("nearest", ())):
        name = f"{row['name']} (mirrored)" if row["mirrored"] else row["name"]
        score = f"seed {row['seed']}: {row['score']:.2f} by {row['by']}"
        pairs.append((small_picture(fake, score), small_picture(real, name)))
    return pairs


def _charts(over_time: Mapping[str, Any] | None) -> list[Chart]:
    curves = over_time["curves"] if over_time else {}
    mark = over_time["mark"] if over_time else None
    charts = []
    for title, names in _PANELS:
        lines = [Line.of(name, curves[name]) for name in names if name in curves and curves[name]["value"]]
        if lines:
            at, why = (mark["kimg"], _MARKS.get(mark["why"], "")) if mark else (None, "")
            svg = line_chart(lines, Frame(mark=at, mark_name=why, name=title))
            charts.append(Chart(title, tuple(line.name for line in lines), svg))
    return charts


def _facts(result: Mapping[str, Any]) -> dict[str, str]:
    """Returns the exact setting in words, for the end of the page."""
    facts = {}
    if settings := result.get("settings"):
        facts["setting"] = settings["name"]
        facts["images"] = (
            f"{settings['num']:,} generated (seeds from {settings['seed']}, psi {settings['psi']:g}, "
            f"noise {settings['noise_mode']}), {settings['num_train']:,} training, "
            f"{settings['num_heldout']:,} held out{', mirrored' if settings['mirror'] else ''}"
        )
        facts["labels"] = settings["labels"]
        facts["image set"] = f"content hash {settings['content_hash']}"
    if features := result.get("features"):
        facts["features"] = (
            f"{features['network']}, {features['dim']:,} numbers an image, {features['precision']}, "
            f"weights SHA-256 {features['sha256']}"
        )
    if intervals := [row for row in result.get("metrics", {}).values() if row["low"] is not None]:
        facts["intervals"] = (
            f"{percent(intervals[0]['level'])}, from half-samples of both sides; variants of one source stay "
            "together"
        )
    for name, key in (("checkpoint", "checkpoint_sha256"), ("stylegraft", "version")):
        if result.get(key):
            facts[name] = result[key]
    if result.get("seconds"):
        facts["time"] = f"{result['seconds']:.0f} s"
    return facts
