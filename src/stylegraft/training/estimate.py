"""How long a step takes here, measured; from it the honest forecast and the schedule of distances."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stylegraft.augment.pipe import AugmentPipe
from stylegraft.networks.protocol import Generator
from stylegraft.networks.sampling import sample_pixels
from stylegraft.runtime.processes import Processes
from stylegraft.training.config import RunConfig, TrainOptions
from stylegraft.training.growing import Span
from stylegraft.training.state import new_state
from stylegraft.training.step import RealBatch, StepContext, train_step

_TYPICAL_ADA_P = 0.3
_REPEATS, _REPEATING_SEC = 2, 1.0
_WANTED_DISTANCES = 12
_MIN_FAKES, _MAX_FAKES = 256, 2000


@dataclass(frozen=True)
class Estimate:
    """What a run will cost.

    Attributes:
        step_sec: mean seconds a step, regularisers included.
        total_sec: seconds of the whole run.
        total_kimg: thousands of images it will show.
        sample_sec: mean seconds to sample a picture of full size for the distance.
        grown_sec: seconds until the networks have their full size; 0 where they have it from the start.
    """

    step_sec: float
    total_sec: float
    total_kimg: float
    sample_sec: float
    grown_sec: float = 0.0


def measure(config: RunConfig, processes: Processes) -> Estimate:
    """Returns the cost of a run from a few real steps at each size, on networks that are thrown away.

    Steps with both regularisers, with path length only, and with none are timed apart and weighted, after one
    that warms up. Each is timed several times while that is quick, and the least counts: whatever else the
    machine does meanwhile only ever adds. Where a step takes long, each kind runs once and with few images,
    which take their share of the time. A fade costs as much as the size that fades in.
    """
    typical_p = max(config.ada.p, min(_TYPICAL_ADA_P, config.ada.cap))
    ada = config.ada.replace(p=typical_p) if config.ada.mode == "adaptive" else config.ada
    state = new_state(config.replace(ada=ada), processes.device)
    generator = config.generator

    def reals(position: int, samples: Sequence[int]) -> RealBatch:
        shape = (len(samples), generator.img_channels, generator.img_height, generator.img_width)
        c_dim = generator.mapping.c_dim
        labels = torch.zeros(len(samples), c_dim, device=processes.device) if c_dim else None
        return torch.zeros(shape, device=processes.device), labels

    c_dim = generator.mapping.c_dim
    labels = torch.eye(c_dim, device=processes.device) if c_dim else None
    pipe = AugmentPipe(config.augment) if config.augment else None
    context = StepContext(processes, pipe, reals, labels)

    def seconds(step: int, num_images: int) -> float:
        state.step, state.num_images = step, num_images
        start = time.perf_counter()
        train_step(state, context)
        if processes.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    both_regularisers = 0
    path_length_only = config.pl_interval if config.pl_interval % config.r1_interval else 1

    def mean_seconds(num_images: int) -> float:
        kinds = (1, path_length_only, both_regularisers)
        state.config = _with_few_images(config, processes)
        share = state.config.moment_at(num_images).batch / config.moment_at(num_images).batch
        is_slow = processes.any(seconds(both_regularisers, num_images) > _REPEATING_SEC * share)
        if not is_slow:
            state.config, share = config, 1.0
        least = {step: seconds(step, num_images) for step in kinds}
        start = time.perf_counter()
        for step in [] if is_slow else kinds * _REPEATS:
            if processes.any(time.perf_counter() - start > _REPEATING_SEC):
                break
            least[step] = min(least[step], seconds(step, num_images))
        plain, with_pl, with_both = (least[step] for step in kinds)
        mean = plain + (with_pl - plain) / config.pl_interval + (with_both - with_pl) / config.r1_interval
        return max(mean, plain) / share

    spans = [Span(0, math.inf)] if config.growing is None else config.growing.spans()
    costs = [(span, config.moment_at(span.first_nimg).batch, mean_seconds(span.first_nimg)) for span in spans]
    return _forecast(config, costs, _sample_seconds(state.G_ema))


def _with_few_images(config: RunConfig, processes: Processes) -> RunConfig:
    """Returns a run with a quarter of the images a step, or what minibatch deviation and processes need."""

    def fewer(batch: int, micro_batch: int) -> dict[str, int]:
        least = (config.discriminator.mbstd_group_size or 1) * processes.size
        few = max(batch // 4 // least, 1) * least
        few = min(few, batch)
        return {"batch": few, "micro_batch": math.gcd(micro_batch, few // processes.size)}

    if config.growing is None:
        return config.replace(**fewer(config.batch, config.micro_batch))
    stages = tuple(stage.replace(**fewer(stage.batch, stage.micro_batch)) for stage in config.growing.stages)
    return config.replace(growing=config.growing.replace(stages=stages))


_Cost = tuple[Span, int, float]
"""Images at a size, batch there, and seconds a step there."""


def _forecast(config: RunConfig, costs: Sequence[_Cost], sample_sec: float) -> Estimate:
    """Returns what the budget of a run buys, on one size after the other."""
    total_sec = math.inf if config.total_minutes is None else config.total_minutes * 60
    total_nimg = math.inf if config.total_kimg is None else config.total_kimg * 1000
    grown_nimg = 0 if config.growing is None else config.growing.grown_nimg
    sec, nimg, num_steps = _spend(costs, total_sec, total_nimg)
    grown_sec, _, _ = _spend(costs, math.inf, grown_nimg)
    return Estimate(sec / num_steps, sec, nimg / 1000, sample_sec, grown_sec)


def _spend(costs: Sequence[_Cost], total_sec: float, total_nimg: float) -> tuple[float, float, float]:
    """Returns (seconds, images, steps) of a run that ends with the first of two budgets."""
    sec = nimg = num_steps = 0.0
    for span, batch, step_sec in costs:
        in_span = min(span.num_images, total_nimg - nimg, (total_sec - sec) / step_sec * batch)
        nimg += in_span
        num_steps += in_span / batch
        sec += in_span / batch * step_sec
    return sec, nimg, num_steps


def _sample_seconds(generator: Generator, num: int = 32) -> float:
    """Returns the mean seconds to sample a picture, after a first batch that warms up."""
    mapping = generator.config.mapping
    c = torch.zeros(num, mapping.c_dim) if mapping.c_dim else None
    start = 0.0
    for _ in range(2):
        start = time.perf_counter()
        sample_pixels(generator, torch.zeros(num, mapping.z_dim), c, seeds=range(num))
    return (time.perf_counter() - start) / num


def with_schedule(
    config: RunConfig, options: TrainOptions, estimate: Estimate, feature_sec: float
) -> RunConfig:
    """Returns the config with a schedule of distances that costs at most `eval_share` of the run.

    The schedule is fixed here, in steps, so that a resumed run measures where an uninterrupted one would. If
    the share is what it follows, the loop leaves out what the forecast was too low for.

    Args:
        config: settings without schedule.
        options: `eval_share`, more than 0, and `eval_kimg` and `eval_fakes` where the user fixed them.
        estimate: from `measure`.
        feature_sec: measured cost of taking one picture's features.
    """
    affordable = int(estimate.total_sec * options.eval_share / (estimate.sample_sec + feature_sec))
    num_fakes = options.eval_fakes or min(max(affordable // _WANTED_DISTANCES, _MIN_FAKES), _MAX_FAKES)
    tick_kimg = config.tick_steps * estimate.step_sec / estimate.total_sec * estimate.total_kimg
    if options.eval_kimg is not None:
        interval_kimg = options.eval_kimg
    else:
        # The first distance, at step 0, and the last are part of the number.
        num_distances = max(min(affordable // num_fakes, 4 * _WANTED_DISTANCES), 2)
        interval_kimg = estimate.total_kimg / (num_distances - 1)
    return config.replace(
        eval_ticks=max(math.ceil(interval_kimg / tick_kimg - 1e-9), 1),
        eval_fakes=num_fakes,
        eval_share=options.eval_share if options.eval_kimg is None else None,
    )
