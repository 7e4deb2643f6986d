"""`stylegraft quickstart`: the whole road in minutes, on images made here: render, train, generate, look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError
from stylegraft.training.config import TrainOptions

if TYPE_CHECKING:
    from rich.console import Console

_NUM_BEANS = 1200
_SIZE_PX = 32  # shapes and colours come within minutes; at 64 px it would take an hour
_COLUMNS = 8


def quickstart(
    *,
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("quickstart"),
    minutes: float = 4.0,
    seed: int = 0,
) -> None:
    """Renders bean seeds, trains a generator on them for some minutes, and shows before and after.

    Nothing is downloaded. What it writes: the rendered images, the run, a picture and a curve; it ends with
    the commands that do the same for your own images.

    Args:
        out: folder for all of it; must not exist yet
        minutes: time for training
        seed: chooses beans and networks
    """
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise InputError(f"{out} (--out) exists already. Remove it, or name another folder with --out.")

    from rich.console import Console

    from stylegraft.cli.train import make_evaluator
    from stylegraft.data.beans import write_bean_set
    from stylegraft.files import make_folder
    from stylegraft.runtime.processes import join_processes
    from stylegraft.training.run import start_run

    console = Console(stderr=True)
    make_folder(out, "--out")
    _say(console, f"[1/3] rendering {_NUM_BEANS} bean seeds of six kinds")
    beans = write_bean_set(out / "beans", _NUM_BEANS, _SIZE_PX, seed)
    _say(console, f"[2/3] training a StyleGAN2-ADA on them for {minutes:g} min (Ctrl-C stops and saves)")
    training = TrainOptions(minutes=minutes, seed=seed)
    with join_processes() as processes:
        start_run(
            beans,
            out / "run",
            training,
            DataConfig(mirror=True),
            source=None,
            make_evaluator=make_evaluator,
            processes=processes,
            console=console,
        )
    _say(console, "[3/3] drawing samples before and after")
    _draw(out, beans)
    _show_results(console, out)


def _draw(out: Path, beans: Path) -> None:
    """Writes before-after.png (the same seeds at the first and the best checkpoint) and real.png."""
    import numpy as np
    import torch

    from stylegraft.data.reader import open_image_set
    from stylegraft.model import Model, load
    from stylegraft.pictures import before_after, save_grid, save_picture
    from stylegraft.training.run import read_config
    from stylegraft.training.state import new_state

    images = open_image_set(beans)
    assert images.class_indices is not None
    assert images.class_names is not None
    num_rows = len(images.class_names)
    labels = np.repeat(np.eye(num_rows, dtype=np.float32), _COLUMNS, axis=0)
    seeds = range(num_rows * _COLUMNS)
    after = load(out / "run").sample(seeds, psi=0.8, labels=labels)
    untrained = new_state(read_config(out / "run"), torch.device("cpu")).G_ema
    before = Model(untrained, None, {}).sample(seeds, psi=1.0, labels=labels)
    save_picture(out / "before-after.png", before_after(before, after, ("before", "after"), _COLUMNS))
    rows = [np.flatnonzero(images.class_indices == row)[:_COLUMNS] for row in range(num_rows)]
    save_grid(out / "real.png", images.pixels(np.concatenate(rows)), _COLUMNS)


def _show_results(console: Console, out: Path) -> None:
    from stylegraft.training.observers import tell

    for line in (
        "",
        f"look at    {out / 'before-after.png'} and, for comparison, {out / 'real.png'}",
        f"curve      {out / 'run' / 'curve.png'} (FD-EffLite0: distance to beans that training never saw)",
        "",
        "Now with your own images (a folder, one subfolder a class, or a zip):",
        "  stylegraft inspect photos",
        "  stylegraft train photos --out run --size 64 --fit crop --mirror --minutes 40",
        "  stylegraft generate run --out new-images --num 1000 --psi 0.7 --grid grid.png",
    ):
        tell(console, line)


def _say(console: Console, text: str) -> None:
    console.print(text, style="bold", highlight=False, markup=False, soft_wrap=True)
