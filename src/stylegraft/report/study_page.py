"""The page of a study: which source for which target, how good it gets, how fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegraft.errors import InputError
from stylegraft.files import write_text
from stylegraft.report import study_facts
from stylegraft.report.bars import Bar, Group, bar_chart
from stylegraft.report.charts import Frame, line_chart
from stylegraft.report.reading import as_json, inner, is_inside, read_object, text
from stylegraft.report.rendering import render
from stylegraft.report.run_data import CONFIG_NAME
from stylegraft.report.run_facts import machine_text
from stylegraft.report.study_data import (
    TargetStarts,
    is_log_better,
    median_line,
    source_colours,
    target_starts,
)
from stylegraft.report.study_figures import draw_best, draw_over_time
from stylegraft.report.study_pictures import study_pictures
from stylegraft.transfer.study.record import StudyRecord


@dataclass(frozen=True)
class Panel:
    """Distance over time on one target, over images shown and over minutes."""

    target: str
    by_kimg: str
    by_minutes: str


def write_study_report(folder: Path, record: StudyRecord, out: Path, figures: Path) -> list[Path]:
    """Writes the page of a study and its figures; returns what was written.

    Args:
        folder: of the study.
        record: of the study.
        out: the page.
        figures: folder for the figures, made if there are any.

    Raises:
        RunError: a file cannot be written.
    """
    targets = target_starts(record)
    written: list[Path] = []
    if any(cell.curve for cell in record.cells):
        written += draw_over_time(targets, figures / "distance_over_time")
    if any(target.ranking for target in targets):
        written += draw_best(targets, figures / "best_distance")
    write_text(out, study_page(folder, record, targets, [f"{figures.name}/{path.name}" for path in written]))
    return [out, *written]


def study_page(
    folder: Path, record: StudyRecord, targets: Sequence[TargetStarts], figure_names: Sequence[str]
) -> str:
    """Returns the page of a study.

    Args:
        folder: of the study, for the pictures of its cells.
        record: of the study.
        targets: what came out of it.
        figure_names: of the files written beside the page.
    """
    colours = source_colours(record)
    return render(
        "study.html",
        title=text(folder.resolve().name),
        subtitle=f"{study_facts.study_title(record)}; {study_facts.study_subtitle(record)}",
        findings=study_facts.study_findings(targets),
        legend=[(source, colours[source]) for source in record.settings.sources],
        panels=_panels(targets),
        bars=_bars(targets),
        has_floor=any(target.floor is not None for target in targets),
        rows=study_facts.table_rows(targets),
        pictures=study_pictures(folder, targets),
        failed=[cell for cell in record.cells if cell.state == "failed"],
        settings=study_facts.settings_rows(record),
        cost=study_facts.cost_rows(record),
        command=text(record.command, 4000),
        facts={
            "begun": text(record.created),
            "stylegraft": text(record.version),
            "machine": machine_text(record.machine),
        },
        target_list=record.settings.targets,
        source_list=_sources(folder, record),
        cells=record.cells,
        figure_names=figure_names,
        settings_text=as_json(record.settings.model_dump(mode="json")),
    )


def _panels(targets: Sequence[TargetStarts]) -> list[Panel]:
    panels = []
    is_log = is_log_better(targets)
    for target in targets:
        charts = []
        for by_minutes, unit in ((False, "kimg"), (True, "min")):
            lines = [line for start in target.starts if (line := median_line(start, by_minutes)) is not None]
            frame = Frame(
                width=360,
                height=270,
                x_unit=unit,
                name=f"distance over time on {target.name}",
                floor=target.floor,
                is_log=is_log,
                begins_at_zero=True,
            )
            charts.append(line_chart(lines, frame) if lines else "")
        if all(charts):
            panels.append(Panel(target.name, *charts))
    return panels


def _bars(targets: Sequence[TargetStarts]) -> str:
    groups = [
        Group(
            target.name,
            [
                Bar(
                    name=f"{start.source} on {target.name}",
                    colour=start.colour,
                    value=start.median,
                    low=min(start.best, default=None),
                    high=max(start.best, default=None),
                    dots=start.best if len(start.best) > 1 else (),
                )
                for start in target.starts
            ],
            target.floor,
        )
        for target in targets
        if target.ranking
    ]
    return bar_chart(groups, name="median best distance by target and source") if groups else ""


def _sources(folder: Path, record: StudyRecord) -> list[Mapping[str, Any]]:
    """Name, path, hash and terms of each source; the terms as its first cell that began has recorded them."""
    rows = []
    for source in record.settings.source_files:
        licence = ""
        for cell in record.cells:
            path = folder / cell.folder / CONFIG_NAME
            if cell.source == source.name and not licence and path.is_file() and is_inside(path, folder):
                try:
                    config = read_object(path, "the settings of a run")
                except InputError:
                    continue
                licence = text(inner(config, "source", "facts", "licence"))
        rows.append({**source.model_dump(), "licence": licence or "not stated"})
    return rows
