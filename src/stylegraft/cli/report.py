"""`stylegraft report`: a run or a study as one page to read, to mail and to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from stylegraft.cli.output import print_json


def report(
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN-or-STUDY")],
    /,
    *,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    evaluation: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    json: bool = False,
) -> None:
    """Writes a run or a study as one HTML file that needs nothing else, and its figures as SVG and PNG.

    stylegraft report run

    stylegraft report study --out charcoal.html     figures go to charcoal-figures/

    Of a run: settings, distances, the same seeds over time, its evaluation, cost, and all that is needed to
    repeat it. Of a study: which source is the best start for which target, how good it gets and how fast.

    Args:
        source: the --out folder of stylegraft train or of stylegraft study
        out: the page; report.html in the folder if left out. An older report is replaced
        evaluation: of a run: what stylegraft evaluate --out wrote; RUN/evaluation is found by itself
        json: print what was written as JSON
    """
    from stylegraft.report.writing import write_report

    written = write_report(source, out, evaluation)
    if json:
        print_json(
            {
                "kind": written.kind,
                "page": str(written.page),
                "bytes": written.page.stat().st_size,
                "figures": [str(path) for path in written.figures],
            }
        )
        return
    print(f"{written.kind}    {source}")
    print(f"page   {written.page}  ({written.page.stat().st_size / 1e6:.2f} MB)")
    for path in written.figures:
        print(f"figure {path}")
