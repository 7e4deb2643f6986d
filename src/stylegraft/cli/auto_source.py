"""`train --from auto`: the zoo's sources are ranked for the images, and the first one is taken."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stylegraft.cli.arguments import words_of
from stylegraft.data.config import DataConfig
from stylegraft.training.config import TrainOptions

if TYPE_CHECKING:
    from rich.console import Console

    from stylegraft.runtime.processes import Processes

AUTO = "auto"
_SHARE = 0.1  # of the minutes of training
# What probes set themselves, or have no use for.
_NOT_FOR_PROBES = (
    *("kimg", "minutes", "seed", "device", "ema_kimg", "num_checkpoints", "save_minutes", "tensorboard"),
    *("eval_share", "eval_kimg", "eval_fakes", "early_stop"),
)


def probe_words(training: TrainOptions, images: DataConfig) -> list[str]:
    """Returns what probes say to `stylegraft train`, for a training with these settings."""
    return [*words_of(images), *words_of(training, *_NOT_FOR_PROBES)]


def pick_source(
    data: Path, out: Path, training: TrainOptions, images: DataConfig, processes: Processes, console: Console
) -> tuple[Path | None, dict[str, Any] | None, TrainOptions]:
    """Returns the source to start from, what the run keeps of the choice, and the options for the rest.

    With a budget of minutes, short trainings inform the choice, and what all of it took is taken off the
    budget. With a budget of kimg alone, or several processes, the quick score decides.

    Args:
        data: folder or zip of images.
        out: the run's folder.
        training: what the user chose.
        images: how the images are read.
        processes: the first one ranks, all get its choice.
        console: for the user.

    Raises:
        InputError: the zoo is empty, or training could not begin with these arguments anyhow.
    """
    from stylegraft.training.folder import check_new_run
    from stylegraft.training.plan import DEFAULT_MINUTES

    check_new_run(data, out)
    if training.minutes is None and training.kimg is None:
        training = training.replace(minutes=DEFAULT_MINUTES)
    start = time.monotonic()
    choice = _rank(data, training, images, processes, console) if processes.is_first else None
    path, facts = cast(tuple[str | None, dict[str, Any] | None], processes.from_first(choice))
    if training.minutes is not None:
        # A machine that is slow to choose still trains for half of the time that was asked for.
        left = max(training.minutes - (time.monotonic() - start) / 60, training.minutes / 2)
        training = training.replace(minutes=processes.from_first(left))
    return None if path is None else Path(path), facts, training


def _rank(
    data: Path, training: TrainOptions, images: DataConfig, processes: Processes, console: Console
) -> tuple[str | None, dict[str, Any] | None]:
    """Returns path and facts of the best source; None and None for random weights."""
    from stylegraft.training.observers import tell
    from stylegraft.transfer.ranking.candidates import find_candidates
    from stylegraft.transfer.ranking.rank import rank_sources

    candidates = find_candidates(())
    minutes = 0.0
    if training.minutes is not None and processes.size == 1:
        minutes = training.minutes * _SHARE
    tell(console, f"choosing   a source, of {', '.join(candidate.name for candidate in candidates)}")
    ranking = rank_sources(
        data,
        candidates,
        images,
        minutes=minutes,
        seed=training.seed,
        words=probe_words(training, images),
        quick_if_too_short=True,
        device=training.device,
        precision=training.precision,
        on_note=lambda text: tell(console, f"           {text}"),
    )
    best = ranking.best
    tell(console, f"chosen     {best.name}: {best.why}")
    for line in (*ranking.sureness, *ranking.notes):
        tell(console, f"           {line}")
    paths = {candidate.name: candidate.path for candidate in candidates}
    if paths.get(best.name) is None:
        return None, None
    return str(paths[best.name]), {"chosen": ranking.summary()}
