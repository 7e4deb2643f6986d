"""What `stylegraft evaluate` prints: the table of numbers, then the answers in words."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

_PIPE_COLUMNS = 140


def print_result(result: Mapping[str, Any]) -> None:
    """Prints a result of the command on standard output."""
    from rich.console import Console

    from stylegraft.report import findings, numbers
    from stylegraft.report.class_table import HEADER, class_table

    # In a pipe or file rich would assume 80 columns and fold the table.
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS, highlight=False)
    print(f"{result['source']}  against  {result['data']}")
    if rows := numbers(result):
        print()
        cells = [[row.name, row.value, row.interval, row.real, row.better, row.counts] for row in rows]
        header = ["", "value", "95 % interval", "real images", "better", "measured with"]
        _print_table(console, header, cells, right={1, 2, 3})
    if by_class := result.get("by_class"):
        print()
        _print_table(console, list(HEADER), class_table(by_class), right=set())
    if utility := result.get("utility"):
        print()
        _print_table(console, utility["table"]["header"], utility["table"]["rows"], right=set())
    for finding in findings(result):
        print()
        print(f"{finding.question}  {finding.verdict}")
        for text in (finding.answer, finding.advice):
            _print_text(text)
    if "metrics" not in result:
        for part in ("by_class", "utility", "over_time"):
            for sentence in _sentences(result.get(part)):
                print()
                _print_text(sentence)
    notes = [*result["notes"], *(result.get("by_class") or {"notes": []})["notes"]]
    if notes:
        print()
    for note in notes:
        _print_text(f"note: {note}", indent="")


def _sentences(part: Mapping[str, Any] | None) -> list[str]:
    if not part:
        return []
    return list(part["sentences"]) if "sentences" in part else [part["sentence"]]


def _print_table(console: Any, header: list[str], rows: list[list[str]], right: set[int]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index in right else "left", no_wrap=index in right)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_text(text: str, indent: str = "  ") -> None:
    """Prints a paragraph, folded on a terminal only."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    if text:
        print(textwrap.fill(text, columns, initial_indent=indent, subsequent_indent=indent))
