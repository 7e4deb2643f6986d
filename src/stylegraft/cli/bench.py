"""`stylegraft bench`: what training and sampling cost on the user's own machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from stylegraft.cli.output import column_lines, print_json
from stylegraft.errors import InputError

_HEADER = ("settings", "px", "type", "batch", "train", "of limit", "s/kimg", "sample", "a run takes")


def bench(
    *,
    quick: bool = False,
    kimg: float | None = None,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE-or-DIR")] = None,
    json: bool = False,
) -> None:
    """Measures how fast this machine trains and samples, and forecasts what each preset would take.

    stylegraft bench --quick          in less than a minute

    stylegraft bench --kimg 300       in a few minutes; forecasts for runs of 300 thousand images

    A row is a preset of `stylegraft train` at an image size; `yardstick` is the setting at which this
    project's figures are compared (64 px, batch 16). `train` and `sample` are images a second. `of limit` is
    the share of the speed that the machine's own matrix products and memory allow, both measured in the same
    run: a low one says that other programs are busy, or that there is something to gain. `s/kimg` are seconds
    for a thousand training images, and `a run takes` so long for the length a preset usually needs: lite 100
    kimg, standard 5,000, paper 25,000. A row with ~ is not measured but worked out from its limit and the
    nearest measured row.

    Quiet machines give true figures: close the browser first. bf16 rows are there if the processor has units
    for it; `stylegraft train` takes that type on its own then. Needs no compiler; the first run on a machine
    compiles kernels for a few seconds.

    Args:
        quick: measure two settings once, work out the rest
        kimg: length of the runs that are forecast, thousands of images; None: the usual one of each preset
        out: also write the result as JSON: a file, or a folder that gets <date>-bench.json
        json: print the result as JSON
    """
    if kimg is not None and kimg <= 0:
        raise InputError(f"--kimg {kimg:g}: expected more than 0.")

    from rich.console import Console

    from stylegraft.bench.results import write_result
    from stylegraft.bench.survey import survey

    console = Console(stderr=True)
    with console.status("measuring") as status:
        result = survey(quick, kimg, lambda text: status.update(f"measuring {text}"))
    path = None if out is None else write_result(out, result)
    if json:
        print_json(result)
        return
    print("\n".join(_lines(result)))
    if path is not None:
        print(f"\nwritten: {path}")


def _lines(result: Mapping[str, Any]) -> list[str]:
    """The table, in columns as wide as their widest cell."""
    from stylegraft.bench.results import machine_line

    return [
        machine_line(result),
        "",
        *column_lines([_HEADER, *map(_cells, result["rows"])]),
        "",
        "~ not measured: its limit, and the share of it that the nearest measured row reaches",
    ]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    speeds = (row["train_img_per_sec"], row["sec_per_kimg"], row["sample_img_per_sec"])
    train, sec_per_kimg, sample = (f"{speed:.3g}" if speed < 100 else f"{speed:,.0f}" for speed in speeds)
    return (
        ("" if row["measured"] else "~ ") + row["settings"],
        str(row["size_px"]),
        row["precision"],
        str(row["batch"]),
        train,
        f"{row['of_limit']:.2f}",
        sec_per_kimg,
        sample,
        "" if row["usual_hours"] is None else _duration(row["usual_hours"]),
    )


def _duration(hours: float) -> str:
    """Minutes, hours, days or years, whichever gives a number people can picture."""
    for unit, length in (("years", 24 * 365), ("days", 24), ("hours", 1)):
        if hours >= 2 * length:
            return f"{hours / length:,.1f} {unit}"
    return f"{hours * 60:.0f} min"
