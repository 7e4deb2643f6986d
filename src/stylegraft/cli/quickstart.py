"""`stylegraft quickstart`: the whole road in minutes, on images made here: choose a source, graft, look."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from stylegraft.cli.output import progress
from stylegraft.cli.study import parse_train, raise_unless_done, study_command
from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError
from stylegraft.transfer.study.config import SCRATCH, StudySettings
from stylegraft.transfer.study.record import StudyRecord, read_record

if TYPE_CHECKING:
    from rich.console import Console

_NUM_BEANS = 600
_SIZE_PX = 64  # the zoo's: a source that is cut or thinned first loses the shapes that minutes cannot relearn
_NUM_SAMPLES = 100  # of each source, to choose by
_TRAIN_FLAGS = ("--preset", "lite")
_JOBS, _MORE_SEEDS = 2, 3
_BEANS, _STUDY, _SHEET, _PAGE = "beans", "study", "side-by-side.png", "report.html"


def quickstart(
    *,
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("quickstart"),
    minutes: float = 4.0,
    seed: int = 0,
) -> None:
    """Renders bean seeds, and trains on them twice: from the best source of the zoo, and from scratch.

    Nothing is downloaded. Both trainings run at the same time, each with half of the cores, with the same
    networks, images and seed; then their pictures and curves are put side by side. What it writes: the
    rendered images, a study with both runs, a picture and a report; it ends with the commands that do the
    same for your own images. Interrupted, the same command goes on.

    Args:
        out: folder for all of it: a new one, or that of the same command to go on with
        minutes: time for the two trainings, which run at the same time
        seed: chooses the beans
    """
    if minutes <= 0:
        raise InputError(f"--minutes {minutes:g}: expected more than 0. Leave it out for 4.")
    command = shlex.join(
        ["stylegraft", "quickstart", "--out", str(out), "--minutes", f"{minutes:g}", "--seed", str(seed)]
    )
    _check_free(out, command)

    from rich.console import Console

    from stylegraft.data.beans import write_bean_set
    from stylegraft.files import make_folder
    from stylegraft.runtime.machine import describe_machine
    from stylegraft.transfer.study.run import run_study

    console = Console(stderr=True)
    make_folder(out, "--out")
    beans = out / _BEANS
    if not beans.exists():
        _say(console, f"[1/4] rendering {_NUM_BEANS} bean seeds of six kinds")
        write_bean_set(beans, _NUM_BEANS, _SIZE_PX, seed)
    _say(console, "[2/4] choosing a source of the zoo, by how its samples compare with the beans")
    source = _choose_source(beans, console)
    _say(
        console,
        f"[3/4] training on the beans, from {source} and from scratch beside each other, {minutes:g} min "
        "(Ctrl-C stops and saves)",
    )
    settings = StudySettings(
        sources=(source, SCRATCH),
        targets=(str(beans),),
        seeds=1,
        minutes=minutes,
        mirror=True,
        train_flags=_TRAIN_FLAGS,
    )
    record = run_study(
        settings,
        out / _STUDY,
        jobs=_JOBS,
        parse_train=parse_train,
        command=command,
        machine=describe_machine(),
        console=console,
    )
    raise_unless_done(record, out / _STUDY)
    _say(console, "[4/4] drawing both beside each other")
    _draw(out, record)
    more_seeds = study_command(settings.replace(seeds=_MORE_SEEDS), out / _STUDY, _JOBS, "local")
    _show_results(console, out, record, more_seeds)


def _check_free(out: Path, command: str) -> None:
    """Refuses a folder that holds anything but what this very command began."""
    record = read_record(out / _STUDY) if out.is_dir() else None
    is_ours = record is not None and record.command == command
    if not is_ours and out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise InputError(f"{out} (--out) exists already. Remove it, or name another folder with --out.")


def _choose_source(beans: Path, console: Console) -> str:
    """Returns the zoo's first by the quick score, and says why: minutes are too few to try all of them."""
    from stylegraft.training.observers import tell
    from stylegraft.transfer.ranking.candidates import find_candidates
    from stylegraft.transfer.ranking.rank import rank_sources

    with progress("looking at samples", shown=True) as on_progress:
        ranking = rank_sources(
            beans,
            find_candidates(()),
            DataConfig(mirror=True),
            minutes=0,
            num=_NUM_SAMPLES,
            progress=on_progress,
        )
    scores = [f"{one.name} {one.quick['score']['value']:.0f}" for one in ranking.sources if one.quick]
    tell(console, f"scores     {', '.join(scores)} (100: like the beans)")
    tell(console, f"chosen     {ranking.best.name}: {ranking.best.why}")
    return ranking.best.name


def _draw(out: Path, record: StudyRecord) -> None:
    """Writes the picture of both runs, and the report with both curves in one figure."""
    from stylegraft.data.reader import open_image_set
    from stylegraft.report.writing import write_report
    from stylegraft.transfer.study.sheet import draw_sheet

    images = open_image_set(out / _BEANS, DataConfig(mirror=True))
    draw_sheet(out / _SHEET, out / _STUDY, record, record.cells, images)
    write_report(out / _STUDY, out / _PAGE)


def _show_results(console: Console, out: Path, record: StudyRecord, more_seeds: str) -> None:
    from stylegraft.training.observers import tell
    from stylegraft.transfer.study.gain import gain_sentence

    graft, scratch = record.cells
    figures = out / f"{Path(_PAGE).stem}-figures"
    for line in (
        "",
        gain_sentence(graft, scratch),
        "",
        f"look at    {out / _SHEET}: the same seeds in each row",
        f"curves     {figures / 'distance_over_time.png'} (FD-EffLite0: distance to beans that neither saw)",
        f"report     {out / _PAGE}",
        f"how sure   these are two trainings; {_MORE_SEEDS - 1} more of each: {more_seeds}",
        "",
        "Now with your own images (a folder, one subfolder a class, or a zip):",
        "  stylegraft inspect photos",
        "  stylegraft train photos --from auto --out run --size 64 --fit crop --mirror --minutes 40",
        "  stylegraft generate run --out new-images --num 1000 --psi 0.7 --grid grid.png",
    ):
        tell(console, line)


def _say(console: Console, text: str) -> None:
    console.print(text, style="bold", highlight=False, markup=False, soft_wrap=True)
