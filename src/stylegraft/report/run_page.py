"""The page of a run: how it went, what it makes, what it cost, how to repeat it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stylegraft.curves import plot_distance_curve, written_by_drawing
from stylegraft.files import write_text
from stylegraft.pictures import save_picture, timeline_strip
from stylegraft.report import run_facts
from stylegraft.report.charts import Chart, Frame, Line, line_chart, spans_more_than
from stylegraft.report.class_table import HEADER, class_table
from stylegraft.report.film import Strips, film_frames, real_picture, seed_strips
from stylegraft.report.findings import findings
from stylegraft.report.numbers import numbers
from stylegraft.report.reading import as_json, inner, number, text
from stylegraft.report.rendering import render
from stylegraft.report.run_data import RunData

_BINS = 60
_LOG_FROM = 10.0  # as in the run's own curve
_PANELS = (
    ("Losses", {"loss_G": "generator", "loss_D": "discriminator"}),
    ("Augmentation strength p", {"augment_p": "p"}),
    ("Side of the images, px", {"side_px": "side"}),
    ("Images a second", {"img_per_sec": "rate"}),
)


def write_run_report(run: RunData, out: Path, figures: Path) -> list[Path]:
    """Writes the page of a run and its figures; returns what was written.

    Args:
        run: what there is to tell.
        out: the page.
        figures: folder for the figures, made if there are any.

    Raises:
        RunError: a file cannot be written.
    """
    strips, images = seed_strips(run) or (None, ())
    written = []
    if run.distances:
        plot_distance_curve(
            run.rows,
            figures / "distance",
            distance_key="distance",
            best_kimg=None if run.best is None else run.best.kimg,
            floor=run.floor,
        )
        written += written_by_drawing(figures / "distance")
    if strips is not None:
        rows = [(f"{moment}  {what}", seeds) for (moment, what), seeds in zip(strips.moments, images)]
        written.append(save_picture(figures / "same_seeds.png", timeline_strip(rows, scale=1)))
    write_text(out, run_page(run, strips, [f"{figures.name}/{path.name}" for path in written]))
    return [out, *written]


def run_page(run: RunData, strips: Strips | None, figure_names: Sequence[str]) -> str:
    """Returns the page of a run.

    Args:
        run: what there is to tell.
        strips: of its seeds, or None.
        figure_names: of the files written beside the page.
    """
    frames = film_frames(run)
    has_rows = all(frame.shape[0] == len(run.class_names) for frame in frames)
    evaluation, notes = _evaluation(run)
    return render(
        "run.html",
        title=text(run.folder.resolve().name),
        subtitle=run_facts.subtitle(run),
        findings=run_facts.run_findings(run),
        notes=notes,
        frames=frames,
        class_names=run.class_names if has_rows else [],
        reals=real_picture(run),
        strips=strips,
        source_name=run.source_name,
        distance_chart=_distance_chart(run),
        charts=_charts(run.rows),
        evaluation=evaluation,
        class_header=HEADER,
        settings=run_facts.settings_table(run),
        surgery=run_facts.surgery_lines(run),
        cost=run_facts.cost_table(run),
        origin=run_facts.origin_table(run),
        sessions=run_facts.sessions_of(run),
        saved=run.saved,
        figure_names=figure_names,
        config_text=as_json(run.config),
    )


def _distance_chart(run: RunData) -> Chart | None:
    """The distance over the run, with intervals where the checkpoints were evaluated."""
    if not run.distances:
        return None
    lines = [
        Line(
            "while training",
            [point.kimg for point in run.distances],
            [point.distance for point in run.distances],
        )
    ]
    curve = inner(run.evaluation, "over_time", "curves", "held-out distance")
    if (
        not _is_of_other_images(run)
        and (evaluated := _checked_line("evaluated, with 95 % interval", curve)) is not None
    ):
        lines.append(evaluated)
    frame = Frame(
        width=900,
        height=260,
        name=f"distance over the run {run.folder.name}",
        floor=run.floor,
        mark=None if run.best is None else run.best.kimg,
        mark_name="" if run.best is None else f"best {run.best.distance:.4g}",
        mark_kind="best",
        is_log=spans_more_than(_LOG_FROM, [point.distance for point in run.distances]),
        begins_at_zero=True,
    )
    return Chart("FD-EffLite0, lower is better", tuple(line.name for line in lines), line_chart(lines, frame))


def _checked_line(name: str, curve: object) -> Line | None:
    """A line of an evaluation's curve, if it has as many numbers everywhere."""
    parts = [inner(curve, key) for key in ("kimg", "value", "low", "high")]
    if not all(isinstance(part, list) and part and len(part) == len(parts[0]) for part in parts):
        return None
    if any(number(value) is None for part in parts for value in part):
        return None
    return Line(name, *parts)


def _charts(rows: Sequence[Mapping[str, float]]) -> list[Chart]:
    charts = []
    for title, keys in _PANELS:
        lines = [line for key, name in keys.items() if (line := binned(rows, key, name)) is not None]
        if lines and any(value != 0 for line in lines for value in line.y):
            frame = Frame(width=480, height=190, name=title, begins_at_zero=True)
            charts.append(Chart(title, tuple(line.name for line in lines), line_chart(lines, frame)))
    return charts


def binned(rows: Sequence[Mapping[str, float]], key: str, name: str) -> Line | None:
    """Returns the median of a scalar in equal parts of a run, with the span of the middle 80 % of its values.

    Args:
        rows: of the log.
        key: of the scalar.
        name: of the line.
    """
    points = [(row["kimg"], row[key]) for row in rows if key in row]
    if not points:
        return None
    span = (points[-1][0] - points[0][0]) or 1.0
    bins: dict[int, list[tuple[float, float]]] = {}
    for kimg, value in points:
        bins.setdefault(min(int((kimg - points[0][0]) / span * _BINS), _BINS - 1), []).append((kimg, value))
    x, middle, low, high = [], [], [], []
    for _, members in sorted(bins.items()):
        values = sorted(value for _, value in members)
        last = len(values) - 1
        x.append(statistics.fmean(kimg for kimg, _ in members))
        middle.append(statistics.median(values))
        low.append(values[round(0.1 * last)])
        high.append(values[round(0.9 * last)])
    return Line(name, x, middle, low, high)


def _is_of_other_images(run: RunData) -> bool:
    evaluated_on = inner(run.evaluation, "settings", "content_hash")
    return evaluated_on is not None and evaluated_on != run.config.get("data_hash")


def _evaluation(run: RunData) -> tuple[dict[str, Any] | None, list[str]]:
    """The evaluation's answers and numbers, and notes of the page with what makes them doubtful."""
    notes, result = list(run.notes), run.evaluation
    if result is None:
        return None, notes
    try:
        answers, rows = findings(result), numbers(result)
        shown = {
            "findings": answers,
            "numbers": rows,
            "classes": class_table(result["by_class"]) if result.get("by_class") else [],
            "notes": [text(note, 1000) for note in result.get("notes", [])],
            "kimg": number(result.get("kimg")),
            "data": text(result.get("data")),
            "version": text(result.get("version")),
        }
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, IndexError) as error:
        # Whatever can be wrong with the structure of a file that somebody else wrote or changed.
        reason = text(f"{type(error).__name__} {error}")
        notes.append(f"The evaluation was left out: it is not as stylegraft evaluate writes it ({reason}).")
        return None, notes
    if _is_of_other_images(run):
        notes.append("The evaluation used other images than the run, or read them in another way.")
    if shown["kimg"] is not None and not any(abs(saved.kimg - shown["kimg"]) < 5e-4 for saved in run.saved):
        notes.append(
            f"The evaluation is of a checkpoint at {shown['kimg']:.1f} kimg, which the run has no more; "
            "it may be that of another run."
        )
    return shown, notes
