"""`stylegraft train`: a generator for the user's images, or the rest of a run that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from stylegraft.cli.auto_source import AUTO, pick_source
from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError
from stylegraft.training.config import TrainOptions
from stylegraft.zoo import resolve

if TYPE_CHECKING:
    from rich.console import Console

    from stylegraft.data.dataset import ImageSet
    from stylegraft.data.split import Split
    from stylegraft.training.run import MeasuredEvaluator


def train(
    data: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = None,
    /,
    training: TrainOptions = TrainOptions(),  # noqa: B008 - frozen
    images: DataConfig = DataConfig(),  # noqa: B008 - frozen
    *,
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None,
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None,
    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="SOURCE")] = None,
) -> None:
    """Trains a generator on a folder, class folders or a zip of images.

    stylegraft train photos --out run --minutes 40 --mirror

    stylegraft train --resume run     goes on exactly where it was, also after kill -9

    stylegraft train --resume run --minutes 80     the same, with a new total budget

    torchrun --nproc-per-node 2 -m stylegraft train photos --out run     several processes

    Args:
        data: folder, class folders or zip (with --resume: only if the images moved)
        training: what is trained, and for how long
        images: how the images are read
        out: the new run's folder
        source: trained networks to start from: a run, a checkpoint folder, a public file, a name of the
            zoo, or auto: what `stylegraft sources` finds to be the best of the zoo, in a tenth of --minutes;
            they decide the architecture, as far as size, colour and classes of the images do not, and
            augmentation and averaging take the defaults of transfer learning
        resume: the folder of a run to go on with; it keeps its settings, --kimg and --minutes set a new total
    """
    if (out is None) == (resume is None):
        raise InputError("train: expected --out RUN for a new run, or --resume RUN to go on with one.")
    if resume is None and data is None:
        raise InputError("train: expected DATA, a folder or zip of images. See stylegraft train --help.")
    if resume is not None:
        _refuse_changes(training, images)
        if source is not None:
            raise InputError("--from and --resume exclude each other: a run knows what it started from.")
    picks_source = source == Path(AUTO)
    if source is not None and not picks_source:
        source = resolve(source)

    from rich.console import Console

    from stylegraft.runtime.processes import join_processes
    from stylegraft.training.run import resume_run, start_run

    console = Console(stderr=True)
    with join_processes(training.device) as processes:
        if resume is not None:
            folder = resume
            outcome = resume_run(
                resume,
                data_path=data,
                kimg=training.kimg,
                minutes=training.minutes,
                threads=training.threads,
                make_evaluator=make_evaluator,
                processes=processes,
                console=console,
            )
        else:
            assert out is not None
            assert data is not None
            folder, facts = out, None
            if picks_source:
                source, facts, training = pick_source(data, out, training, images, processes, console)
            outcome = start_run(
                data,
                out,
                training,
                images,
                source=source,
                make_evaluator=make_evaluator,
                processes=processes,
                console=console,
                source_facts=facts,
            )
        if processes.is_first:
            print_outcome(console, folder, outcome)


def print_outcome(console: Console, folder: Path, outcome: str) -> None:
    """Says where the run's results are, and what to do next."""
    from stylegraft.checkpoints.run_folder import list_checkpoints
    from stylegraft.training.observers import tell

    entries, _ = list_checkpoints(folder)
    measured = [entry for entry in entries if entry.info.get("distance") is not None]
    lines = []
    if outcome == "interrupted":
        lines.append(f"stopped and saved; go on with: stylegraft train --resume {folder}")
    if entries:
        last = entries[-1].info
        lines.append(f"trained    {last['kimg']:.1f} kimg in {last['train_sec'] / 60:.1f} min")
    if measured:
        best = min(measured, key=lambda entry: entry.info["distance"])
        lines.append(
            f"best       FD-EffLite0 {best.info['distance']:.2f} at {best.info['kimg']:.1f} kimg: {best.path}"
        )
    lines.append(f"pictures   {folder / 'samples'}")
    if measured:
        lines.append(f"curve      {folder / 'curve.png'}")
    lines.append(f"next       stylegraft generate {folder} --out images --num 100 --grid images.png")
    for line in lines:
        tell(console, line)


def make_evaluator(images: ImageSet, split: Split) -> MeasuredEvaluator:
    """The distance of training: FD-EffLite0 to the held-out images, or to all where none are held out."""
    from stylegraft.evaluation.copy_watch import CopyWatch
    from stylegraft.evaluation.distance import DistanceEvaluator
    from stylegraft.features.registry import feature_network
    from stylegraft.metrics.settings import FD_EFFLITE0
    from stylegraft.training.run import MeasuredEvaluator

    # Of the processor's own precision, whatever that of the training is: one ruler for all runs on a machine.
    network = feature_network(FD_EFFLITE0.feature_network, precision="auto")
    mirror = images.config.mirror
    sides = split.train_indices, split.holdout_indices
    evaluator = DistanceEvaluator(images, *sides, mirror=mirror, network=network, max_real=1000)
    watch = CopyWatch(images, *sides, network, mirror=mirror, features_of=evaluator.features_of)
    return MeasuredEvaluator(evaluator, evaluator.seconds_per_image(), watch)


def _refuse_changes(options: TrainOptions, images: DataConfig) -> None:
    """A resumed run keeps its settings: a flag that would be ignored is an error."""
    kept = {"kimg", "minutes", "device", "threads"}
    changed = [
        name
        for name in options.model_fields_set - kept
        if getattr(options, name) != getattr(TrainOptions(), name)
    ]
    changed += [
        name for name in images.model_fields_set if getattr(images, name) != getattr(DataConfig(), name)
    ]
    if changed:
        flags = ", ".join("--" + name.replace("_", "-") for name in sorted(changed))
        raise InputError(
            f"{flags}: a resumed run keeps its settings; only --kimg, --minutes, --device and --threads can "
            "be given anew. Leave them out, or start a new run with --out."
        )
