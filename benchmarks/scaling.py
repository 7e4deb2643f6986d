"""How cost grows: with resolution, batch, number of images and number of processes.

    python benchmarks/scaling.py                        # about five minutes; without bf16 units, twelve
    python benchmarks/scaling.py --only set --million   # a set of a million images too: two minutes, some GB
    python benchmarks/scaling.py --only resolution batch

Each measurement runs in a process of its own. What the processes of a run exchange is worked out by formula
(`stylegraft.bench.exchange`), and with it what follows for eight GPUs.
Writes `results/<date>-scaling.json` beside this file, keeping the parts of a file of that day that are not
measured anew; `render.py` puts the tables into the documentation.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console

from stylegraft.bench.exchange import ring_bytes_a_process, summed_bytes_a_step
from stylegraft.bench.isolated import environment_without_compilers, run_worker
from stylegraft.bench.machine import measure_machine, peak_memory_mb, resolved_precision
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, result_path, write_result
from stylegraft.bench.roofline import count_parameters, limit_seconds, step_phases
from stylegraft.bench.shipped import run_config
from stylegraft.bench.survey import USUAL_KIMG, preset_config
from stylegraft.bench.worker import real_images
from stylegraft.bench.yardstick import AUGMENT_PRESET, YardstickSettings
from stylegraft.runtime.openmp import BRIEF

RESULTS = Path(__file__).parent / "results"
SIZES_PX = (32, 64, 128, 256)
BATCHES = (4, 8, 16, 32)
SAMPLE_BATCHES = (4, 16, 64)
SET_SIZES = (1_000, 10_000, 100_000)
MILLION = 1_000_000
TINY_PX = 16
SETTLED_SEC = 3  # a file that was changed just now is read again every time
PROCESS_STEPS = 8  # two of them with path length
NUM_GPUS = 8
ASSUMED_TFLOPS = 50.0
ASSUMED_LINKS_GB = (10, 50, 300)
Precision = Any  # "bf16" or "fp32"


def measure_resolution(precision: Precision, console: Console) -> list[dict[str, Any]]:
    """Training at the yardstick's settings, other sizes."""
    rates = measure_machine()
    rows = []
    for size_px in SIZES_PX:
        settings = YardstickSettings(resolution_px=size_px)
        phases = step_phases(run_config(settings, precision))
        rows.append(
            _train(precision, {"resolution_px": size_px}, console)
            | {
                "size_px": size_px,
                "gflop_per_image": sum(phase.flop for phase in phases) / settings.batch / 1e9,
                "limit_img_per_sec": settings.batch / limit_seconds(phases, rates),
            }
        )
    return rows


def measure_batch(precision: Precision, console: Console) -> list[dict[str, Any]]:
    """Training at the yardstick's settings, other batches."""
    return [_train(precision, {"batch": batch}, console) | {"batch": batch} for batch in BATCHES]


def measure_sampling(precision: Precision, console: Console) -> list[dict[str, Any]]:
    """Sampling at the yardstick's settings, other batches."""
    return [
        _worker(precision, "sampling", {"batch": batch}, 16, console) | {"batch": batch}
        for batch in SAMPLE_BATCHES
    ]


def measure_set(console: Console, million: bool) -> list[dict[str, Any]]:
    """Opening sets of tiny images of other lengths, each from one zip, for the first time and once more."""
    rows = []
    for count in (*SET_SIZES, MILLION) if million else SET_SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "set.zip"
            write_tiny_set(path, count)
            time.sleep(SETTLED_SEC)
            cache = {"STYLEGRAFT_CACHE": folder}
            first, later = (_own_process(["--open-set", str(path)], environment=cache) for _ in range(2))
            rows.append({"num_images": count, "first": first, "later": later})
        console.print(f"set of {count:,}: {rows[-1]}")
    return rows


def measure_processes(precision: Precision, console: Console) -> list[dict[str, Any]]:
    """Training at the yardstick's settings in one process and in two, a thread each or all threads."""
    cores = os.cpu_count() or 1
    rows = []
    for processes, threads in ((1, 1), (1, cores), (2, max(cores // 2, 1))):
        launcher = (
            ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            if processes > 1
            else []
        )
        row = _own_process(["--train-process", "--precision", precision], launcher, threads)
        rows.append(row | {"processes": processes, "threads": threads})
        console.print(f"{processes} processes of {threads} threads: {row['img_per_sec']:.1f} img/s")
    return rows


def exchange_table() -> list[dict[str, Any]]:
    """What the presets would exchange on GPUs at 256 px, by formula alone."""
    rows = []
    for preset in USUAL_KIMG:
        config = preset_config(preset, 256, "bf16")
        summed = summed_bytes_a_step(config)
        flop = sum(phase.flop for phase in step_phases(config)) / NUM_GPUS
        sent = ring_bytes_a_process(summed, NUM_GPUS)
        rows.append(
            {
                "preset": preset,
                "batch": config.batch,
                "parameters": count_parameters(config.generator) + count_parameters(config.discriminator),  # pyright: ignore[reportArgumentType]
                "summed_mbytes": summed / 1e6,
                "sent_mbytes": sent / 1e6,
                "gflop_per_gpu": flop / 1e9,
                "compute_ms": flop / ASSUMED_TFLOPS / 1e9,
                "exchange_ms": {str(link): sent / link / 1e6 for link in ASSUMED_LINKS_GB},
            }
        )
    return rows


def write_tiny_set(path: Path, count: int) -> None:
    """Writes a zip of `count` equal images of 16 px, named as the official tools do."""
    from stylegraft.data.writer import official_name

    image = io.BytesIO()
    Image.new("RGB", (TINY_PX, TINY_PX), (200, 100, 50)).save(image, "png")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for index in range(count):
            archive.writestr(official_name(index), image.getvalue())


def open_set(path: Path) -> dict[str, float]:
    """Opens a set as training does and returns what that took."""
    from stylegraft.data.reader import open_image_set
    from stylegraft.data.sampler import TrainSampler

    before_mb = peak_memory_mb()
    images, open_sec = _timed(lambda: open_image_set(path))
    split, split_sec = _timed(images.split)
    memory_mb = peak_memory_mb() - before_mb
    sampler = TrainSampler(len(split.train_indices), 0, mirror=True)
    (indices, flips), first_sec = _timed(lambda: sampler.batch(0, 16))
    _, batch_sec = _timed(lambda: images.batch(split.train_indices[indices], flips))
    _, next_sec = _timed(lambda: sampler.batch(16, 16))
    return {
        "open_sec": open_sec,
        "split_sec": split_sec,
        "first_order_sec": first_sec,
        "batch_sec": batch_sec + next_sec,
        "memory_mb": memory_mb,
        "pixels_mb": images.array.nbytes / 1e6,
    }


def train_process(precision: Precision) -> dict[str, float] | None:
    """Trains for some steps as one of the processes there are; the first returns what it took."""
    from stylegraft.augment.config import augment_preset
    from stylegraft.augment.pipe import AugmentPipe
    from stylegraft.runtime.processes import join_processes
    from stylegraft.training.state import new_state
    from stylegraft.training.step import StepContext, train_step

    settings = YardstickSettings()
    config = run_config(settings, precision).replace(micro_batch=settings.batch // 2)
    real = real_images(settings)
    with join_processes("cpu") as processes:
        state = new_state(config, processes.device)
        pipe = AugmentPipe(augment_preset(AUGMENT_PRESET))
        context = StepContext(processes, pipe, lambda first, samples: (real[list(samples)], None), None)
        for _ in range(2):
            train_step(state, context)
        _, seconds = _timed(lambda: [train_step(state, context) for _ in range(PROCESS_STEPS)])
        parameters = [*state.G.parameters(), *state.D.parameters()]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        _, exchange = _timed(lambda: [processes.sum_gradients(parameters) for _ in range(10)])
        if not processes.is_first:
            return None
    return {
        "img_per_sec": settings.batch * PROCESS_STEPS / seconds,
        "exchange_ms": exchange / 10 * 1e3,
        "sent_mbytes": ring_bytes_a_process(summed_bytes_a_step(config), processes.size) / 1e6,
    }


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    parts = {"scaling-machine": machine_line(result)}
    makers: dict[str, tuple[Sequence[str], Callable[[dict[str, Any]], Sequence[str]]]] = {
        "resolution": (
            ("image, px", "GFLOP an image", "img/s", "limit, img/s", "GFLOP/s", "peak MB"),
            lambda row: [
                str(row["size_px"]),
                number(row["gflop_per_image"]),
                number(row["img_per_sec"]),
                number(row["limit_img_per_sec"]),
                number(row["gflop_per_image"] * row["img_per_sec"]),
                number(row["peak_memory_mb"]),
            ],
        ),
        "batch": (
            ("batch", "img/s", "s a step", "peak MB"),
            lambda row: [
                str(row["batch"]),
                number(row["img_per_sec"]),
                number(row["batch"] / row["img_per_sec"]),
                number(row["peak_memory_mb"]),
            ],
        ),
        "sampling": (
            ("batch", "img/s", "peak MB"),
            lambda row: [str(row["batch"]), number(row["img_per_sec"]), number(row["peak_memory_mb"])],
        ),
        "set": (
            (
                *("images", "pixels, MB", "first opening, s", "us an image", "split, s", "MB"),
                *("later opening, s", "split, s", "MB", "order of an epoch, s", "a batch, ms"),
            ),
            lambda row: [
                f"{row['num_images']:,}",
                number(row["first"]["pixels_mb"]),
                number(row["first"]["open_sec"]),
                number(row["first"]["open_sec"] / row["num_images"] * 1e6),
                number(row["first"]["split_sec"]),
                number(row["first"]["memory_mb"]),
                number(row["later"]["open_sec"]),
                number(row["later"]["split_sec"]),
                number(row["later"]["memory_mb"]),
                number(row["later"]["first_order_sec"]),
                number(row["later"]["batch_sec"] * 1e3),
            ],
        ),
        "processes": (
            ("processes x threads", "img/s", "sum of all gradients, ms", "sent a step, MB"),
            lambda row: [
                f"{row['processes']} x {row['threads']}",
                number(row["img_per_sec"]),
                number(row["exchange_ms"]) if row["processes"] > 1 else "",
                number(row["sent_mbytes"]),
            ],
        ),
        "gpus": (
            (
                *("preset", "parameters", "sent a step, MB", "GFLOP a GPU and step", "its time, ms"),
                *(f"exchange at {link} GB/s, ms" for link in ASSUMED_LINKS_GB),
            ),
            lambda row: [
                f"{row['preset']}, batch {row['batch']}",
                f"{row['parameters'] / 1e6:.1f} M",
                number(row["sent_mbytes"]),
                number(row["gflop_per_gpu"]),
                number(row["compute_ms"]),
                *(number(value) for value in row["exchange_ms"].values()),
            ],
        ),
    }
    for name, (header, cells) in makers.items():
        if name in result:
            parts[f"scaling-{name}"] = table(header, [cells(row) for row in result[name]])
    return parts


def _train(precision: Precision, settings: dict[str, Any], console: Console) -> dict[str, Any]:
    return _worker(precision, "training", settings, 16, console)


def _worker(
    precision: Precision, what: str, settings: dict[str, Any], steps: int, console: Console
) -> dict[str, Any]:
    arguments = [
        "--which",
        precision,
        "--what",
        what,
        "--steps",
        str(steps),
        "--settings",
        json.dumps(settings),
    ]
    run = run_worker(arguments, environment_without_compilers() | BRIEF)
    console.print(f"{what} {settings}: {run['img_per_sec']:.1f} img/s, {run['peak_memory_mb']:.0f} MB")
    return {name: run[name] for name in ("img_per_sec", "peak_memory_mb")}


def _own_process(
    arguments: Sequence[str],
    launcher: Sequence[str] = (),
    threads: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Runs this script with other arguments and returns the JSON on its last line."""
    everything = {**os.environ, **BRIEF, **(environment or {})}
    if threads is not None:
        everything["OMP_NUM_THREADS"] = str(threads)
    done = subprocess.run(
        [sys.executable, *launcher, __file__, *arguments],
        env=everything,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    answer = run()
    return answer, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("resolution", "batch", "sampling", "set", "processes")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="parts to measure")
    parser.add_argument("--million", action="store_true", help="a set of a million images too")
    parser.add_argument("--precision", choices=["auto", "bf16", "fp32"], default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    parser.add_argument("--open-set", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--train-process", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    precision = resolved_precision(given.precision)

    if given.open_set is not None:
        print(json.dumps(open_set(given.open_set)))
        return
    if given.train_process:
        answer = train_process(precision)
        if answer is not None:
            print(json.dumps(answer))
        return

    console = Console()
    measures = {
        "resolution": lambda: measure_resolution(precision, console),
        "batch": lambda: measure_batch(precision, console),
        "sampling": lambda: measure_sampling(precision, console),
        "set": lambda: measure_set(console, given.million),
        "processes": lambda: measure_processes(precision, console),
    }
    result = result_header("scaling") | {"precision": precision, "gpus": exchange_table()}
    earlier = result_path(given.out, result)
    if earlier.exists():
        result = json.loads(earlier.read_text(encoding="utf-8")) | result
    for name in given.only:
        result[name] = measures[name]()
    path = write_result(given.out, result)
    for name, text in tables(result).items():
        print(f"\n{name}\n\n{text}")
    console.print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
