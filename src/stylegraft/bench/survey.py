"""What training and sampling cost on this machine: measured where that is quick, worked out where it is not.

A setting that is not measured is taken to reach the share of its limit (`roofline`) that the nearest measured
one does: same number type, least ratio of the limits.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stylegraft.bench.convolutions import measure_rates
from stylegraft.bench.costs import training_flop, training_terms
from stylegraft.bench.machine import bf16_pays
from stylegraft.bench.results import result_header
from stylegraft.bench.roofline import NumberType, Rates, limit_seconds, sample_phases, step_phases
from stylegraft.bench.shipped import run_config
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import ImageSet
from stylegraft.data.split import Split
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.ops.kernels.switch import compile_kernels
from stylegraft.runtime.processes import Processes
from stylegraft.training.config import PresetName, RunConfig, TrainOptions
from stylegraft.training.estimate import measure
from stylegraft.training.plan import plan_run

YARDSTICK = "yardstick"
SIZES_PX = (32, 64, 128, 256)
USUAL_KIMG: dict[PresetName, float] = {
    "lite": 100,  # an evening on a CPU (see the preset's own comment)
    "standard": 5_000,
    "paper": 25_000,  # Karras et al. 2020, both papers
}
_TYPICAL_ADA_P = 0.3
_OPTIONAL_SEC = 150.0  # measured beyond what must be, unless it is to be quick
_STEPS_A_MEASUREMENT = 8  # of mean length, in `estimate.measure`, with its sampling
_MAX_FORWARD_BYTES = 2.5e9  # activations are kept for the way back; more may not fit the memory


@dataclass(frozen=True)
class Row:
    """One setting in one number type.

    Attributes:
        settings: a preset's name, or "yardstick".
        size_px: image side, px.
        precision: number type of the convolutions.
        batch: images a step.
        measured: False: worked out from the limit.
        train_img_per_sec: real images a second, regularisers included.
        sample_img_per_sec: images sampled a second.
        of_limit: the limit's time over the time taken, training.
        sample_of_limit: the same of sampling.
        of_gemm: nominal FLOP (`costs`) a second over the rate of matrix products, training.
        sec_per_kimg: seconds for a thousand real images.
        usual_kimg: length of a usual run in thousands of images; None: it is no preset.
        usual_hours: its duration.
    """

    settings: str
    size_px: int
    precision: NumberType
    batch: int
    measured: bool
    train_img_per_sec: float
    sample_img_per_sec: float
    of_limit: float
    sample_of_limit: float
    of_gemm: float
    sec_per_kimg: float
    usual_kimg: float | None
    usual_hours: float | None


def survey(
    quick: bool = False,
    kimg: float | None = None,
    on_note: Callable[[str], None] = lambda text: None,
    *,
    yardstick: YardstickSettings | None = None,
    sizes_px: tuple[int, ...] = SIZES_PX,
    optional_sec: float = _OPTIONAL_SEC,
) -> dict[str, Any]:
    """Measures this machine and returns the result, JSON-ready: `rates`, and `rows` as of `Row`.

    Args:
        quick: measure each of two settings once, and nothing else.
        kimg: length of the runs whose duration is forecast, thousands of images; None: usual of each preset.
        on_note: told what comes next.
        yardstick: sizes of the yardstick's setting; None: its own.
        sizes_px: sides of the presets' images.
        optional_sec: about so many seconds are spent on measurements that could be done without.
    """
    on_note("matrix products, convolutions and copies")
    rates = measure_rates()
    precisions: tuple[NumberType, ...] = ("bf16", "fp32") if bf16_pays(rates) else ("fp32",)
    for precision in precisions:
        compile_kernels(precision)  # here, where no measurement waits for it
    jobs = [_yardstick_job(yardstick or YardstickSettings(), precision, rates) for precision in precisions]
    jobs += [
        _preset_job(preset, size_px, precision, rates)
        for precision in precisions
        for preset in USUAL_KIMG
        for size_px in sizes_px
    ]
    repeats = 1 if quick else 3
    middle_px = sorted(sizes_px, key=lambda size_px: abs(math.log(size_px / 64)))[0]
    required = [
        job for job in jobs if job.name == YARDSTICK or (job.name, job.size_px) == ("lite", middle_px)
    ]
    efficiency: dict[int, tuple[float, float]] = {}

    def run(job: _Job) -> None:
        on_note(f"{job.name}, {job.size_px} px, {job.config.precision}")
        efficiency[id(job)] = job.measure(repeats)

    for job in required:
        run(job)
    seconds_left = 0.0 if quick else optional_sec
    for job in sorted(jobs, key=lambda job: job.train_limit_sec):
        if id(job) in efficiency or job.forward_bytes > _MAX_FORWARD_BYTES:
            continue
        share, _ = _nearest(job, jobs, efficiency)
        cost_sec = repeats * _STEPS_A_MEASUREMENT * job.train_limit_sec / share
        if cost_sec <= seconds_left:
            run(job)
            seconds_left -= cost_sec
    rows = [
        job.row(
            efficiency.get(id(job)) or _nearest(job, jobs, efficiency), id(job) in efficiency, kimg, rates
        )
        for job in jobs
    ]
    header = result_header("bench") | {"quick": quick}
    return header | {"rates": rates, "rows": [asdict(row) for row in rows]}


def preset_config(preset: PresetName, size_px: int, precision: NumberType) -> RunConfig:
    """Returns what `stylegraft train --preset` would do on square RGB images without labels."""
    images = ImageSet(
        path=Path("none"),
        config=DataConfig(),
        names=(),
        array=np.broadcast_to(np.uint8(0), (1000, size_px, size_px, 3)),
        labels=None,
        class_names=None,
        skipped=(),
        num_ignored=0,
        content_hash="none",
    )
    split = Split(np.arange(1000), np.empty(0, np.int64), None)
    config = plan_run(TrainOptions(preset=preset), images, split, images.config, "cpu", precision)
    return config.replace(ada=config.ada.replace(p=_TYPICAL_ADA_P))


@dataclass(frozen=True)
class _Job:
    """A setting with its limits, to be measured or worked out."""

    name: str
    size_px: int
    config: RunConfig
    usual_kimg: float | None
    train_limit_sec: float
    sample_limit_sec: float
    forward_bytes: float

    def measure(self, repeats: int) -> tuple[float, float]:
        """Returns the shares of the limits that training and sampling reach, medians."""
        alone = Processes(0, 1, torch.device("cpu"))
        estimates = [measure(self.config, alone) for _ in range(repeats)]
        step_sec = statistics.median(estimate.step_sec for estimate in estimates)
        sample_sec = statistics.median(estimate.sample_sec for estimate in estimates)
        return self.train_limit_sec / step_sec, self.sample_limit_sec / sample_sec

    def row(self, efficiency: tuple[float, float], measured: bool, kimg: float | None, rates: Rates) -> Row:
        """Returns the row of the table."""
        config, (of_limit, sample_of_limit) = self.config, efficiency
        assert isinstance(config.generator, GeneratorConfig)
        assert isinstance(config.discriminator, DiscriminatorConfig)
        train_speed = config.batch * of_limit / self.train_limit_sec
        pl_interval = config.pl_interval if config.pl_weight else None
        terms = training_terms(config.r1_interval, pl_interval, config.pl_batch_shrink)
        flop = training_flop(config.generator, config.discriminator, terms)
        run_kimg = None if self.usual_kimg is None else kimg or self.usual_kimg
        return Row(
            settings=self.name,
            size_px=self.size_px,
            precision=config.precision,
            batch=config.batch,
            measured=measured,
            train_img_per_sec=train_speed,
            sample_img_per_sec=sample_of_limit / self.sample_limit_sec,
            of_limit=of_limit,
            sample_of_limit=sample_of_limit,
            of_gemm=flop * train_speed / rates[f"gemm_{config.precision}_gflops"] / 1e9,
            sec_per_kimg=1000 / train_speed,
            usual_kimg=run_kimg,
            usual_hours=None if run_kimg is None else run_kimg * 1000 / train_speed / 3600,
        )


def _job(name: str, size_px: int, config: RunConfig, usual_kimg: float | None, rates: Rates) -> _Job:
    assert isinstance(config.generator, GeneratorConfig)
    phases = step_phases(config)
    sampling = sample_phases(config.generator, config.batch, config.precision)
    forward_bytes = sum(phase.num_bytes for phase in phases if phase.name.endswith("forward"))
    return _Job(
        name=name,
        size_px=size_px,
        config=config,
        usual_kimg=usual_kimg,
        train_limit_sec=limit_seconds(phases, rates),
        sample_limit_sec=limit_seconds(sampling, rates) / config.batch,
        forward_bytes=forward_bytes,
    )


def _yardstick_job(settings: YardstickSettings, precision: NumberType, rates: Rates) -> _Job:
    config = run_config(settings, precision).replace(total_minutes=1.0)
    return _job(YARDSTICK, settings.resolution_px, config, None, rates)


def _preset_job(preset: PresetName, size_px: int, precision: NumberType, rates: Rates) -> _Job:
    return _job(preset, size_px, preset_config(preset, size_px, precision), USUAL_KIMG[preset], rates)


def _nearest(job: _Job, jobs: list[_Job], efficiency: dict[int, tuple[float, float]]) -> tuple[float, float]:
    """The shares of the limits that the nearest measured setting reaches."""
    known = [other for other in jobs if id(other) in efficiency]
    same = [other for other in known if other.config.precision == job.config.precision]
    nearest = min(same, key=lambda other: abs(math.log(other.train_limit_sec / job.train_limit_sec)))
    return efficiency[id(nearest)]
