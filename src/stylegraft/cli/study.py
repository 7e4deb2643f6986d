"""`stylegraft study`: every source on every target, to see which start is the best for which images."""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from stylegraft.cli.arguments import parse
from stylegraft.data.config import DataConfig, Fit
from stylegraft.errors import InputError, RunError
from stylegraft.training.config import TrainOptions
from stylegraft.transfer.study.config import StudySettings, read_plan

if TYPE_CHECKING:
    from stylegraft.transfer.study.record import StudyRecord
    from stylegraft.transfer.study.summary import Place


def study(
    plan: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="PLAN")] = None,
    /,
    *,
    sources: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SOURCE...")] = (),
    targets: Annotated[tuple[str, ...], tyro.conf.arg(metavar="DATA...")] = (),
    seeds: int | None = None,
    kimg: float | None = None,
    minutes: float | None = None,
    size: str | None = None,
    fit: Fit | None = None,
    mirror: bool = False,
    labels: Literal["auto", "none"] | None = None,
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    jobs: int | None = None,
    engine: Literal["local", "ray"] = "local",
    rest: Annotated[tuple[str, ...], tyro.conf.Suppress] = (),
) -> None:
    """Trains every source on every target, several times, and says which source is the best start.

    stylegraft study --sources fashion emoji scratch --targets beans faces --kimg 40 --out study

    stylegraft study --sources fashion scratch --targets beans --minutes 10 --out study -- --batch 8

    stylegraft study plan.toml        the same from a file: sources = ["fashion", "scratch"] and so on;
                                      without --out the results go to the folder `plan` beside it

    What is behind -- goes to each `stylegraft train` (in a file: train_flags = ["--batch", "8"]). A cell is
    that command, in DIR/cells/TARGET/SOURCE/seedN; DIR/study.json has all results, as they come. It takes as
    long as all its cells: 3 sources on 2 targets with 2 seeds are 12 trainings.

    Interrupted, killed or failed: the same command goes on. Finished cells stay, begun ones are resumed
    exactly, failed ones are tried again; more sources, targets or seeds may be given.

    Args:
        plan: TOML or JSON file with the settings, in place of the flags up to --labels
        sources: names of the zoo, runs, checkpoints or public files, or scratch; NAME=PATH names one anew
        targets: folders or zips of images; NAME=PATH names one anew
        seeds: so many trainings of each source on each target; None: 2
        kimg: budget of a cell, thousand images shown in training
        minutes: budget of a cell, minutes
        size: "64" or "64x96" (height x width, px); None: that of the images
        fit: how an image of another shape is brought to the size: crop, pad or stretch
        mirror: mirror half of the images left to right
        labels: auto: from dataset.json or class folders; none: no labels; None: auto
        out: the study's folder, a new one or the one to go on with
        jobs: cells at a time, each with its share of the cores; None: 1, with Ray one on each machine
        engine: local: processes on this machine; ray: a Ray cluster (RAY_ADDRESS), or Ray on this machine
        rest: the words behind --
    """
    given = {
        "sources": sources,
        "targets": targets,
        "seeds": seeds,
        "kimg": kimg,
        "minutes": minutes,
        "size": size,
        "fit": fit,
        "mirror": mirror,
        "labels": labels,
        "train_flags": rest,
    }
    given = {name: value for name, value in given.items() if value not in (None, (), False)}
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs {jobs}: expected at least 1.")
    if plan is not None:
        if given:
            flags = ", ".join("--" if name == "train_flags" else f"--{name}" for name in given)
            raise InputError(f"{flags}: {plan} has the settings. Write them there, or leave {plan} out.")
        settings = read_plan(plan)
        out = out or plan.with_suffix("")
    else:
        missing = [f"--{name}" for name in ("sources", "targets") if name not in given]
        missing += [] if out else ["--out"]
        missing += [] if kimg or minutes else ["--kimg or --minutes"]
        if missing:
            raise InputError(
                f"study: expected {', '.join(missing)}, or a file with the settings. "
                "See stylegraft study --help."
            )
        settings = StudySettings(**given)
    assert out is not None

    from rich.console import Console

    from stylegraft.runtime.machine import describe_machine
    from stylegraft.transfer.study.run import run_study

    record = run_study(
        settings,
        out,
        jobs=jobs,
        engine=engine,
        parse_train=parse_train,
        command=study_command(settings, out, jobs, engine),
        machine=describe_machine(),
        console=Console(stderr=True),
    )
    print("\n".join(_lines(record)))
    print(f"\nas a page with figures: stylegraft report {out}", file=sys.stderr)
    raise_unless_done(record, out)


def parse_train(words: Sequence[str]) -> tuple[TrainOptions, DataConfig]:
    """What the words of `stylegraft train` say about training and images."""
    from stylegraft.cli.train import train

    bound = parse(train, "stylegraft train", words)
    assert isinstance(bound, functools.partial)
    arguments = inspect.signature(train).bind(*bound.args, **bound.keywords).arguments
    return arguments["training"], arguments["images"]


def study_command(settings: StudySettings, out: Path, jobs: int | None, engine: str) -> str:
    """Returns the command line with flags only: a file with the settings may change or go."""
    words = ["--sources", *settings.sources, "--targets", *settings.targets, "--seeds", str(settings.seeds)]
    words += [*settings.shared_words(), "--out", str(out)]
    words += [] if jobs is None else ["--jobs", str(jobs)]
    words += [] if engine == "local" else ["--engine", engine]
    words += ["--", *settings.train_flags] if settings.train_flags else []
    return shlex.join(["stylegraft", "study", *words])


def _lines(record: StudyRecord) -> list[str]:
    """A table a target: the sources from the best start to the worst."""
    from stylegraft.transfer.study.summary import source_orders

    lines = []
    for order in source_orders(record):
        floor = "" if order.floor is None else f" (real images: {order.floor:.2f})"
        lines += ["", f"{order.target}: best FD-EffLite0 by source, median over seeds{floor}"]
        rows = [_cells(rank, place) for rank, place in enumerate(order.places, start=1)]
        rows = [("", "source", "median", "lowest to highest", "seeds", "kimg", "minutes", ""), *rows]
        widths = [max(map(len, column)) for column in zip(*rows)]
        for rank, source, *others in rows:
            numbers = [cell.rjust(width) for cell, width in zip(others[:-1], widths[2:])]
            row = [rank.rjust(widths[0]), source.ljust(widths[1]), *numbers, others[-1]]
            lines.append(("  " + "  ".join(row)).rstrip())
    return lines[1:]


def _cells(rank: int, place: Place) -> tuple[str, ...]:
    left = [(place.num_failed, "failed"), (place.num_left, "not finished")]
    note = ", ".join(f"{number} {what}" for number, what in left if number)
    if place.median is None or place.kimg is None or place.train_sec is None:
        return "-", place.source, "-", "-", str(place.num_seeds), "-", "-", note
    return (
        str(rank),
        place.source,
        f"{place.median:.2f}",
        f"{place.low:.2f} to {place.high:.2f}",
        str(place.num_seeds),
        f"{place.kimg:.1f}",
        f"{place.train_sec / 60:.1f}",
        note,
    )


def raise_unless_done(record: StudyRecord, out: Path) -> None:
    """Ends the command as it went.

    Raises:
        RunError: cells failed.
        KeyboardInterrupt: the study was stopped.
    """
    failed = [cell for cell in record.cells if cell.state == "failed"]
    left = sum(cell.state == "pending" for cell in record.cells)
    if left:
        print(f"\n{left} of {len(record.cells)} cells are left: the same command goes on.", file=sys.stderr)
    if failed:
        first = failed[0]
        raise RunError(
            f"{len(failed)} of {len(record.cells)} cells failed, the first, {first.id}: {first.error} "
            f"All reasons are in {out / 'study.json'}; the same command tries them again."
        )
    if left:
        raise KeyboardInterrupt
