"""How long a step takes here, measured; from it the honest forecast and the schedule of distances."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stylegraft.augment.pipe import AugmentPipe
from stylegraft.networks.sampling import sample_pixels
from stylegraft.networks.stylegan2 import Generator
from stylegraft.runtime.processes import Processes
from stylegraft.training.config import RunConfig, TrainOptions
from stylegraft.training.state import new_state
from stylegraft.training.step import RealBatch, StepContext, train_step

_TYPICAL_ADA_P = 0.3
_WANTED_DISTANCES = 12
_MIN_FAKES, _MAX_FAKES = 256, 2000


@dataclass(frozen=True)
class Estimate:
    """What a run will cost.

    Attributes:
        step_sec: mean seconds a step, regularisers included.
        total_sec: seconds of the whole run.
        total_kimg: thousands of images it will show.
        sample_sec: mean seconds to sample a picture for the distance.
    """

    step_sec: float
    total_sec: float
    total_kimg: float
    sample_sec: float


def measure(config: RunConfig, processes: Processes) -> Estimate:
    """Returns the cost of a run from four real steps on networks that are thrown away.

    Steps with both regularisers, with path length only, and with none are timed apart and weighted.
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

    def seconds(step: int) -> float:
        state.step = step
        start = time.perf_counter()
        train_step(state, context)
        if processes.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    both_regularisers = 0
    path_length_only = config.pl_interval if config.pl_interval % config.r1_interval else 1
    seconds(both_regularisers)  # warms up
    plain, with_pl, with_both = seconds(1), seconds(path_length_only), seconds(both_regularisers)
    step_sec = plain + (with_pl - plain) / config.pl_interval + (with_both - with_pl) / config.r1_interval
    step_sec = max(step_sec, plain)
    if config.total_minutes is not None:
        total_sec = config.total_minutes * 60
        if config.total_kimg is not None:
            total_sec = min(total_sec, config.total_kimg * 1000 / config.batch * step_sec)
    else:
        assert config.total_kimg is not None
        total_sec = config.total_kimg * 1000 / config.batch * step_sec
    total_kimg = total_sec / step_sec * config.batch / 1000
    return Estimate(step_sec, total_sec, total_kimg, _sample_seconds(state.G_ema))


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

    The schedule is fixed here, in steps, so that a resumed run measures where an uninterrupted one would.

    Args:
        config: settings without schedule.
        options: `eval_share`, and `eval_kimg` and `eval_fakes` where the user fixed them.
        estimate: from `measure`.
        feature_sec: measured cost of taking one picture's features.
    """
    if options.eval_share == 0:
        return config.replace(eval_ticks=0, eval_fakes=0)
    affordable = int(estimate.total_sec * options.eval_share / (estimate.sample_sec + feature_sec))
    num_fakes = options.eval_fakes or min(max(affordable // _WANTED_DISTANCES, _MIN_FAKES), _MAX_FAKES)
    tick_kimg = config.tick_steps * config.batch / 1000
    if options.eval_kimg is not None:
        interval_kimg = options.eval_kimg
    else:
        # The first distance, at step 0, and the last are part of the number.
        num_distances = max(min(affordable // num_fakes, 4 * _WANTED_DISTANCES), 2)
        interval_kimg = estimate.total_kimg / (num_distances - 1)
    return config.replace(
        eval_ticks=max(math.ceil(interval_kimg / tick_kimg - 1e-9), 1), eval_fakes=num_fakes
    )
