"""What commands print: results on standard output as a table or JSON, progress on standard error."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol


class Advance(Protocol):
    """Tells a progress bar how much is done of how much."""

    def __call__(self, done: int, total: int) -> None:
        """Shows `done` of `total`."""
        ...


def print_json(value: Mapping[str, Any]) -> None:
    """Prints a result as indented JSON."""
    print(json.dumps(value, indent=2))


def print_table(title: str, rows: Mapping[str, Any]) -> None:
    """Prints a title and name-value rows; values that are None or empty are left out.

    Long values are folded on a terminal only: in a pipe or file each row is one line to whatever reads it.
    """
    shown = {
        name.replace("_", " "): value for name, value in rows.items() if value not in (None, "", [], {}, ())
    }
    width = max(map(len, shown), default=0) + 2
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    print(title)
    for name, value in shown.items():
        text = f"  {name:<{width}}{describe(value)}"
        print(textwrap.fill(text, max(columns, width + 20), subsequent_indent=" " * (width + 2)))


def column_lines(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Returns a line a row, in columns as wide as their widest cell; those not in `left` are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def describe(value: Any) -> str:
    """Returns a value as people read it: `yes`, `1,234`, `0.7`, `a, b, c`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {describe(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(": ".join(item) if isinstance(item, list) else describe(item) for item in value)
    return str(value)


@contextmanager
def progress(title: str, shown: bool) -> Iterator[Advance]:
    """Shows a progress bar on standard error while the block runs.

    Args:
        title: what is being done.
        shown: False, or a standard error that is no terminal, shows nothing.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
