"""One door to both reports: a run or a study in, a page and its figures out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stylegraft.errors import InputError
from stylegraft.report.run_data import is_run, read_run
from stylegraft.report.run_page import write_run_report
from stylegraft.report.study_data import is_study, read_study
from stylegraft.report.study_page import write_study_report

PAGE_NAME = "report.html"
_OUR_MARK = b'<meta name="generator" content="stylegraft">'
_MARK_WITHIN_BYTES = 2000


@dataclass(frozen=True)
class Written:
    """What a report consists of: its page, and figures as SVG and PNG."""

    kind: Literal["run", "study"]
    page: Path
    figures: list[Path]


def write_report(source: Path, out: Path | None = None, evaluation: Path | None = None) -> Written:
    """Writes the report of a run or of a study as one page of HTML, and its figures into a folder beside it.

    Args:
        source: a run folder or the folder of a study.
        out: the page; None is `report.html` in the folder. An older report is replaced, other files are not.
        evaluation: for a run: what `stylegraft evaluate --out` wrote; None looks for it in the run.

    Raises:
        InputError: the folder is neither, is damaged, or the page would replace a file that is no report.
        RunError: a file cannot be written.
    """
    if not (is_study(source) or is_run(source)):
        found = "no such folder" if not source.exists() else "neither"
        raise InputError(
            f"{source}: expected a run (config.json and log.jsonl) or a study (study.json), got {found}. "
            "Name the --out folder of stylegraft train or of stylegraft study."
        )
    page = source / PAGE_NAME if out is None else out
    _check_place(page)
    figures = page.with_name(f"{page.stem}-figures")
    if is_study(source):
        if evaluation is not None:
            raise InputError(f"--evaluation {evaluation}: expected a run, {source} is a study. Leave it out.")
        page, *files = write_study_report(source, read_study(source), page, figures)
        return Written("study", page, files)
    page, *files = write_run_report(read_run(source, evaluation), page, figures)
    return Written("run", page, files)


def _check_place(page: Path) -> None:
    """Refuses to replace what is no report: a mistyped --out must not cost a file."""
    if page.is_dir():
        raise InputError(f"--out {page}: expected a file, got a folder. Name the page: {page / PAGE_NAME}.")
    if page.is_file():
        with page.open("rb") as file:
            is_ours = _OUR_MARK in file.read(_MARK_WITHIN_BYTES)
        if not is_ours:
            raise InputError(
                f"--out {page}: expected a free name or an older report, got another file. "
                "Choose another name."
            )
