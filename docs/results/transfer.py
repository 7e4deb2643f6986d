"""Two studies of one question side by side: sources with a short budget, scratch with a long one.

    python docs/results/transfer.py beans beans
    python docs/results/transfer.py compare graft scratch
    python docs/results/transfer.py sheet graft scratch transfer.png
    python docs/results/transfer.py join graft scratch both && stylegraft report both

`beans` renders the bean seeds, 400 of each kind, a folder a kind. `compare` prints for each target what
scratch reached and when a source had that. `sheet` draws the last checkpoints of seed 0. `join` copies the
cells of both into a third study, for one report.
"""

import argparse
import shutil
import statistics
from pathlib import Path

import numpy as np

from stylegraft import load
from stylegraft.checkpoints.run_folder import list_checkpoints
from stylegraft.data import DataConfig, open_image_set
from stylegraft.data.beans import write_bean_set
from stylegraft.pictures import save_picture, timeline_strip
from stylegraft.transfer.study.record import Cell, StudyRecord, read_record, write_record

_COLUMNS = 10


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


def sheet(graft: Path, scratch: Path, out: Path) -> None:
    """Draws, for each target, what the trainings of seed 0 ended with, and real images."""
    rows = []
    seeds = range(_COLUMNS)
    for target in recorded(graft).settings.targets:
        for study in (graft, scratch):
            for cell in recorded(study).cells:
                if (cell.target, cell.seed) == (target.name, 0):
                    last = list_checkpoints(study / cell.folder)[0][-1]
                    caption = f"{cell.source}, {last.info['train_sec'] / 60:.0f} min"
                    rows.append((caption, load(last.path).sample(seeds, psi=1.0)))
        images = open_image_set(Path(target.path), DataConfig(labels="none"))
        chosen = images.split().train_indices[:: len(images) // (2 * _COLUMNS)][:_COLUMNS]
        pixels = images.pixels(chosen)
        rows.append((target.name, np.repeat(pixels, 3 // pixels.shape[3], axis=3)))
    save_picture(out, timeline_strip(rows))


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
    for name in ("compare", "sheet", "join"):
        command = commands.add_parser(name)
        command.add_argument("graft", type=Path)
        command.add_argument("scratch", type=Path)
        if name != "compare":
            command.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.command == "beans":
        write_bean_set(given.out, num=2400)
    elif given.command == "compare":
        compare(given.graft, given.scratch)
    elif given.command == "sheet":
        sheet(given.graft, given.scratch, given.out)
    else:
        join(given.graft, given.scratch, given.out)


if __name__ == "__main__":
    main()
