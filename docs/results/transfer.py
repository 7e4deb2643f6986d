"""Two studies of one question side by side: sources with a short budget, scratch with a long one.

    python docs/results/transfer.py beans beans
    python docs/results/transfer.py compare graft scratch
    python docs/results/transfer.py join graft scratch both && stylegraft report both

`beans` renders the bean seeds, 400 of each kind, a folder a kind. `compare` prints for each target what
scratch reached and when a source had that. `join` copies the cells of both into a third study: one report.
"""

import argparse
import shutil
import statistics
from pathlib import Path

from stylegraft.data.beans import write_bean_set
from stylegraft.transfer.study.record import Cell, StudyRecord, read_record, write_record


def recorded(study: Path) -> StudyRecord:
    """The record of a study that must be there."""
    record = read_record(study)
    if record is None:
        raise SystemExit(f"{study}: expected a study, found none.")
    return record


def had_it_after(cell: Cell, wanted: float) -> str:
    """When a cell first measured a distance that is as good: before training, and in training."""
    reached = [point for point in cell.curve if point.distance <= wanted]
    trained = [point for point in reached if point.kimg > 0]
    later = f"{trained[0].train_sec / 60:.1f} min ({trained[0].kimg:.1f} kimg)" if trained else "not reached"
    return later + (", and before training" if len(reached) > len(trained) else "")


def compare(graft: Path, scratch: Path) -> None:
    """Prints a table in Markdown: for each target and seed what scratch reached, and when sources had it."""
    print("| target | seed | scratch, best of its training | source | starts at | ends at | had it after |")
    print("|---|---|---|---|---|---|---|")
    from_scratch = {(cell.target, cell.seed): cell for cell in recorded(scratch).cells}
    for cell in recorded(graft).cells:
        other = from_scratch[cell.target, cell.seed]
        if other.best is None or cell.final is None:
            continue
        reached, last, final = other.best, other.curve[-1], cell.final
        budget = f"{last.kimg:g} kimg, {last.train_sec / 60:.1f} min"
        columns = (
            cell.target,
            str(cell.seed),
            f"{reached.distance:.1f} at {reached.kimg:.1f} of {budget}",
            cell.source,
            f"{cell.curve[0].distance:.1f}",
            f"{final.distance:.1f} at {final.kimg:g} kimg ({final.train_sec / 60:.1f} min)",
            had_it_after(cell, reached.distance),
        )
        print(f"| {' | '.join(columns)} |")
    speeds = [cell.img_per_sec for study in (graft, scratch) for cell in recorded(study).cells]
    print(f"\nmedian speed of a cell: {statistics.median(s for s in speeds if s):.1f} img/s")


def join(graft: Path, scratch: Path, out: Path) -> None:
    """Writes a study with the cells of both; its settings are those of the longer one."""
    short, long = recorded(graft), recorded(scratch)
    settings = long.settings.replace(
        sources=(*short.settings.sources, *long.settings.sources),
        source_files=(*short.settings.source_files, *long.settings.source_files),
    )
    for study in (graft, scratch):
        shutil.copytree(study / "cells", out / "cells", dirs_exist_ok=True)
    write_record(out, long.replace(settings=settings, cells=(*short.cells, *long.cells)))


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="two studies of one question side by side")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("beans").add_argument("out", type=Path)
    for name in ("compare", "join"):
        command = commands.add_parser(name)
        command.add_argument("graft", type=Path)
        command.add_argument("scratch", type=Path)
        if name == "join":
            command.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.command == "beans":
        write_bean_set(given.out, num=2400)
    elif given.command == "compare":
        compare(given.graft, given.scratch)
    else:
        join(given.graft, given.scratch, given.out)


if __name__ == "__main__":
    main()
