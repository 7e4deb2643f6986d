"""Starting and resuming a run: opens the images, resolves the settings, assembles the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

import stylegraft
from stylegraft.augment.pipe import AugmentPipe
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.checkpoints.run_folder import (
    CONFIG_NAME,
    LOG_NAME,
    has_checkpoints,
    read_newest_good,
    remove_newer_than,
)
from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.reader import open_image_set
from stylegraft.data.sampler import ClassGroupSampler, Sampler, TrainSampler
from stylegraft.data.split import Split
from stylegraft.errors import DataError, InputError
from stylegraft.files import write_text
from stylegraft.networks.sampling import latents_of_seeds, sample_pixels
from stylegraft.ops.kernels.switch import compile_kernels
from stylegraft.runtime.precision import compute_dtype
from stylegraft.runtime.processes import Processes
from stylegraft.runtime.threads import thread_policy, threads_kept
from stylegraft.training.announcement import announce
from stylegraft.training.config import RunConfig, SourceConfig, TrainOptions
from stylegraft.training.estimate import measure, with_schedule
from stylegraft.training.evaluator import CopyWatch, Evaluator, SampleFakes
from stylegraft.training.folder import check_new_run, folder_or_nothing, read_config
from stylegraft.training.loop import Loop
from stylegraft.training.observers import (
    JsonLog,
    Observer,
    ProgressBar,
    TensorBoardLog,
    require_tensorboard,
    tell,
)
from stylegraft.training.painter import RunPainter
from stylegraft.training.plan import plan_run
from stylegraft.training.presets import preset_data
from stylegraft.training.sessions import note_session
from stylegraft.training.source import check_source, take_over, with_surgery
from stylegraft.training.state import TrainState, new_state
from stylegraft.training.step import RealBatch, StepContext

_EVALUATION_SEED_OFFSET = 1_000_000  # keeps the curve's fakes apart from the seeds people look at


@dataclass(frozen=True)
class MeasuredEvaluator:
    """An evaluator, the seconds it takes for one picture's features, and who looks for copies."""

    evaluator: Evaluator
    feature_sec: float
    copy_watch: CopyWatch | None = None


EvaluatorFactory = Callable[[ImageSet, Split], MeasuredEvaluator]


def start_run(
    data_path: str | Path,
    folder: str | Path,
    options: TrainOptions,
    data: DataConfig,
    *,
    source: str | Path | None,
    make_evaluator: EvaluatorFactory,
    processes: Processes,
    console: Console,
    source_facts: Mapping[str, Any] | None = None,
) -> str:
    """Trains into a new run folder; returns "done", "interrupted" or "stopped early".

    Args:
        data_path: folder or zip of images.
        folder: the run folder, which must not hold a run.
        options: what the user chose.
        data: how the images are read.
        source: run, checkpoint or public file to start from; None: from scratch.
        make_evaluator: makes the distance from the set and its split.
        processes: this process among all.
        console: for the user.
        source_facts: JSON-ready: kept with the run beside what the source says of itself.

    Raises:
        InputError: the folder holds a run already, lies among the images, or cannot be written.
        DataError: the images cannot be used.
    """
    folder = Path(folder)
    check_new_run(Path(data_path), folder)
    if options.tensorboard:
        require_tensorboard()
    with folder_or_nothing(folder, processes), threads_kept(options.threads):
        opened = None
        if source is not None:
            opened = open_checkpoint(source, with_training=True)
            check_source(opened)
        data = preset_data(options, data)
        images = open_image_set(data_path, data)
        split = images.split()
        dtype = compute_dtype(options.precision, processes.device)
        precision = "bf16" if dtype == torch.bfloat16 else "fp32"
        config = plan_run(options, images, split, data, processes.device.type, precision, opened)
        _check_processes(config, processes)
        if config.source is not None and source_facts:
            facts = {**config.source.facts, **source_facts}
            config = config.replace(source=config.source.replace(facts=facts))

        if processes.device.type == "cpu":
            compile_kernels(precision)
        # Its steps are real ones, so without distances or sizes to schedule a run would only wait for it.
        needs_forecast = options.eval_share > 0 or config.growing is not None
        estimate = measure(config, processes) if needs_forecast else None
        measured = None
        if estimate is not None and options.eval_share and processes.is_first:
            measured = make_evaluator(images, split)
            config = with_schedule(config, options, estimate, measured.feature_sec)
        resolved = processes.from_first(config.to_dict())
        config = RunConfig.from_dict(resolved)  # pyright: ignore[reportArgumentType]
        state = new_state(config, processes.device)
        taken = []
        if opened is not None:
            copied, surgery = take_over(state, opened, images)
            taken = [f"source     {copied}", *(f"surgery    {line}" for line in surgery.lines())]
            config = state.config = with_surgery(config, surgery)
    if processes.is_first:
        announce(console, config, estimate, images, split)
        for line in taken:
            tell(console, line)
        write_text(folder / CONFIG_NAME, config.to_json())
    return _run_loop(state, folder, images, split, measured, processes, console)


def resume_run(
    folder: str | Path,
    *,
    data_path: str | Path | None,
    kimg: float | None,
    minutes: float | None,
    make_evaluator: EvaluatorFactory,
    processes: Processes,
    console: Console,
    threads: int | None = None,
) -> str:
    """Goes on with a run exactly where its newest whole checkpoint left it; returns how it ended.

    A run that had stopped early stays so, unless a new budget is given: then it stops no more before its end.

    Args:
        folder: the run folder.
        data_path: where the images are now, if they moved; they must be the same.
        kimg: a new total budget, or None.
        minutes: a new total budget, or None.
        make_evaluator: see `start_run`.
        processes: this process among all.
        console: for the user.
        threads: another fixed number of threads, or None.

    Raises:
        CheckpointError: no checkpoint can be read.
        DataError: the images are not those the run was started with.
    """
    folder = Path(folder)
    config = read_config(folder)
    if kimg is not None or minutes is not None:
        config = config.replace(total_kimg=kimg, total_minutes=minutes)
    if threads is not None:
        config = config.replace(threads=threads)
    images = open_image_set(data_path or config.data_path, config.data)
    if images.content_hash != config.data_hash:
        raise DataError(
            f"{images.path}: expected the images this run was started with (hash {config.data_hash[:12]}), "
            f"got others (hash {images.content_hash[:12]}). Restore them, or start a new run."
        )
    config = config.replace(data_path=str(images.path.resolve()))  # so that the next resume finds them
    split = images.split()
    _check_processes(config, processes)
    state = new_state(config, processes.device)
    lines = _restore(state, folder, images)
    if state.stopped is not None and (kimg is not None or minutes is not None):
        config = config.replace(early_stop_kimg=None)
        state.config, state.stopped = config, None
    measured = None
    if processes.is_first:
        for line in lines:
            tell(console, line)
        remove_newer_than(folder, state.step)
        write_text(folder / CONFIG_NAME, config.to_json())
        if config.eval_fakes:
            measured = make_evaluator(images, split)
    return _run_loop(state, folder, images, split, measured, processes, console)


def _restore(state: TrainState, folder: Path, images: ImageSet) -> list[str]:
    """Loads the newest whole checkpoint into a new state; returns lines that say what was found.

    A run that was killed before its first checkpoint starts again: nothing is lost by it.
    """
    if not has_checkpoints(folder):
        if state.config.source is not None:
            source = open_checkpoint(state.config.source.path, with_training=True)
            take_over(state, source, images)
        return [f"{folder} has no checkpoint yet: starting at 0 kimg"]
    checkpoint, path, problems = read_newest_good(folder)
    state.load_checkpoint(checkpoint)
    skipped = [f"skipped: {problem}" for problem in problems]
    return [*skipped, f"resuming {folder} from {path.name} ({state.kimg:.1f} kimg)"]


def _run_loop(
    state: TrainState,
    folder: Path,
    images: ImageSet,
    split: Split,
    measured: MeasuredEvaluator | None,
    processes: Processes,
    console: Console,
) -> str:
    config, device = state.config, processes.device
    train = split.train_indices
    sampler = _sampler(config, images, train)

    def reals(position: int, samples: Sequence[int]) -> RealBatch:
        indices, flips = sampler.batch(position + samples[0], len(samples))
        labels = images.label_batch(train[indices])
        return images.batch(train[indices], flips).to(device), None if labels is None else labels.to(device)

    observers: list[Observer] = []
    painter = None
    try:
        if processes.is_first:
            note_session(folder)
            # At step 0 the loop measures anew, so that nothing in a log can be kept.
            observers += [JsonLog(folder / LOG_NAME, state.step or -1), ProgressBar(console)]
            if config.tensorboard:
                observers.append(TensorBoardLog(folder / "tensorboard"))
            painter = RunPainter(folder, images, train)
        labels = _labels_of_fakes(config, images, train)
        loop = Loop(
            state=state,
            context=StepContext(
                processes,
                AugmentPipe(config.augment) if config.augment else None,
                reals,
                None if labels is None else labels.to(device),
                note=lambda text: _tell(observers, text),
            ),
            folder=folder,
            evaluator=measured.evaluator if measured else None,
            copy_watch=measured.copy_watch if measured and config.early_stop_kimg else None,
            sample_fakes=lambda state: _fakes_of(state, images.labels, split),
            painter=painter,
            observers=observers,
            info=_card_info(images, len(train), config.source),
        )
        with threads_kept(config.threads):
            loop.threads = thread_policy(config.threads, processes, loop.context.note)
            return loop.run()
    finally:
        for observer in observers:
            observer.close()


def _sampler(config: RunConfig, images: ImageSet, train: np.ndarray) -> Sampler:
    if not config.label_groups:
        return TrainSampler(len(train), config.seed, config.data.mirror)
    assert images.class_indices is not None
    group_size = config.discriminator.mbstd_group_size
    return ClassGroupSampler(
        images.class_indices[train], group_size, config.seed, config.data.mirror, config.balance_classes
    )


def _labels_of_fakes(config: RunConfig, images: ImageSet, train: np.ndarray) -> torch.Tensor | None:
    """Labels that fakes draw theirs from: those of the images, or each class that has images once."""
    if images.labels is None:
        return None
    labels = images.labels[train]
    return torch.from_numpy(np.unique(labels, axis=0) if config.balance_classes else labels)


def _fakes_of(state: TrainState, labels: np.ndarray | None, split: Split) -> SampleFakes:
    """The curve's fakes: fixed seeds, labels in the proportion of the images they are compared with."""
    reference = split.holdout_indices if len(split.holdout_indices) else split.train_indices

    def sample(start: int, count: int) -> np.ndarray:
        seeds = range(_EVALUATION_SEED_OFFSET + start, _EVALUATION_SEED_OFFSET + start + count)
        z = latents_of_seeds(seeds, state.config.generator.mapping.z_dim)
        c = None
        if labels is not None:
            c = torch.from_numpy(labels[reference[np.arange(start, start + count) % len(reference)]])
        return sample_pixels(state.G_ema, z, c, seeds=seeds)

    return sample


def _card_info(images: ImageSet, num_training_images: int, source: SourceConfig | None) -> dict[str, Any]:
    derived = {}
    if source is not None:
        derived = {"trained_from": source.facts}
        if "licence" in source.facts:
            derived["licence"] = source.facts["licence"]
    return derived | {
        "version": stylegraft.__version__,
        "class_names": images.class_names and list(images.class_names),
        "data_hash": images.content_hash,
        "num_training_images": num_training_images,
    }


def _check_processes(config: RunConfig, processes: Processes) -> None:
    num_micro_batches = config.batch // config.micro_batch
    if num_micro_batches % processes.size:
        raise InputError(
            f"{processes.size} processes: expected a divisor of the {num_micro_batches} micro-batches of a "
            f"step. Use --micro-batch {config.batch // processes.size} with batch {config.batch}."
        )


def _tell(observers: Sequence[Observer], text: str) -> None:
    for observer in observers:
        observer.on_note(text)
