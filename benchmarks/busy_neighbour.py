"""What another process on one core costs a training, with threads that adapt (default) and a fixed number.

    python benchmarks/busy_neighbour.py                 # eight minutes; Linux, two cores or more

The training loop works at a small setting (32 px) in a process of its own, in three parts of equal length:
alone, beside a process that spins on the first core, and alone again. Finding out, and trying, is part of the
time. With N cores and one of them shared evenly, a fair scheduler leaves 1 - 1 / (2 N) of the machine; work
that two threads split evenly waits for the slower one, which leaves 1/2. More than that must not be lost.
OpenMP's threads spin for some microseconds and sleep then, as `stylegraft` sets it; for comparison they sleep
at once (OMP_WAIT_POLICY=passive), or wait as is OpenMP's default.
Writes `results/<date>-busy_neighbour.json` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from stylegraft.augment.config import augment_preset
from stylegraft.augment.pipe import AugmentPipe
from stylegraft.bench.isolated import environment_without_compilers
from stylegraft.bench.machine import resolved_precision
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, write_result
from stylegraft.bench.shipped import run_config
from stylegraft.bench.worker import real_images
from stylegraft.bench.yardstick import AUGMENT_PRESET, YardstickSettings
from stylegraft.runtime.openmp import ASLEEP, BRIEF
from stylegraft.runtime.processes import Processes
from stylegraft.runtime.threads import thread_policy
from stylegraft.training.loop import Loop
from stylegraft.training.state import new_state
from stylegraft.training.step import StepContext

RESULTS = Path(__file__).parent / "results"
LEAST_SHARE = 0.5
SETTINGS = {"resolution_px": 32, "channel_base": 1024, "channel_max": 64, "z_dim": 128, "w_dim": 128}
PARTS = ("alone", "beside", "again")
WARM_SHARE = 0.2  # of the first part, which is not counted
WAYS = {
    "adapting, brief": ("threads that adapt", BRIEF),
    "fixed, brief": ("a thread a core, fixed", BRIEF),
    "adapting": ("threads that adapt, asleep while they wait", ASLEEP),
    "fixed": ("a thread a core, asleep while they wait", ASLEEP),
    "fixed, spinning": ("a thread a core, OpenMP's default waiting", {}),
}
_SPIN = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
while True:
    pass
"""


class Street:
    """Watches a training, and lets the neighbour come and go."""

    def __init__(self, loop: Loop, part_sec: float) -> None:
        self._loop, self._part_sec = loop, part_sec
        self._neighbour: subprocess.Popen[bytes] | None = None
        self._start: float | None = None
        self.moments: list[tuple[float, float]] = []  # seconds, images
        self.changes: list[tuple[float, int]] = []  # seconds, threads from there on

    def on_progress(self, done: float, kimg: float, seconds_left: float) -> None:
        now = time.perf_counter()
        self._start = now if self._start is None else self._start
        self.moments.append((now - self._start, self._loop.state.num_images))
        threads = torch.get_num_threads()
        if not self.changes or self.changes[-1][1] != threads:
            self.changes.append((now - self._start, threads))
        part = int((now - self._start) / self._part_sec)
        if part == 1 and self._neighbour is None:
            self._neighbour = subprocess.Popen([sys.executable, "-c", _SPIN])
        elif part != 1:
            self.close()

    def close(self) -> None:
        if self._neighbour is not None:
            self._neighbour.kill()
            self._neighbour.wait()
            self._neighbour = None

    def on_record(self, record: dict[str, Any]) -> None:
        pass

    def on_note(self, text: str) -> None:
        pass

    def on_rewind(self, step: int) -> None:
        pass

    def speed(self, first_sec: float, last_sec: float) -> float:
        """Returns img/s between two moments."""
        within = [moment for moment in self.moments if first_sec <= moment[0] <= last_sec]
        if len(within) < 2:
            return 0.0
        return (within[-1][1] - within[0][1]) / (within[-1][0] - within[0][0])


def train_beside(part_sec: float, adapts: bool) -> dict[str, Any]:
    """Trains through the three parts and returns img/s of each, and when the threads changed."""
    settings = YardstickSettings(**SETTINGS)
    real = real_images(settings)
    alone = Processes(0, 1, torch.device("cpu"))
    total_minutes = len(PARTS) * part_sec / 60
    precision = resolved_precision("auto")
    config = run_config(settings, precision).replace(total_minutes=total_minutes, save_minutes=60.0)
    pipe = AugmentPipe(augment_preset(AUGMENT_PRESET))
    context = StepContext(alone, pipe, lambda first, samples: (real[list(samples)], None), None)
    with tempfile.TemporaryDirectory() as folder:
        state = new_state(config, alone.device)
        loop = Loop(state, context, Path(folder), None, lambda state: lambda start, count: None, None, [], {})  # pyright: ignore[reportArgumentType]
        street = Street(loop, part_sec)
        loop.observers = [street]
        loop.threads = thread_policy(None, alone, context.note) if adapts else None
        try:
            loop.run()
        finally:
            street.close()
    firsts = [WARM_SHARE * part_sec, part_sec, 2 * part_sec]
    speeds = [street.speed(first, (index + 1) * part_sec) for index, first in enumerate(firsts)]
    return {"img_per_sec": dict(zip(PARTS, speeds)), "threads": street.changes, "precision": precision}


def measure(rounds: int, part_sec: float, console: Console) -> dict[str, Any]:
    """Returns by way of running: img/s of each part, median over rounds, and the threads of each round."""
    environment = environment_without_compilers()
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"):
        environment.pop(name, None)
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, (_, variables) in WAYS.items():
            command = [sys.executable, __file__, "--part-sec", str(part_sec), "--train", way]
            done = subprocess.run(
                command, env=environment | variables, stdout=subprocess.PIPE, text=True, check=True
            )
            runs[way].append(json.loads(done.stdout.splitlines()[-1]))
            console.print(f"{way:15} {runs[way][-1]}")
    return {
        way: {
            "img_per_sec": {
                part: statistics.median(run["img_per_sec"][part] for run in given) for part in PARTS
            },
            "threads": [run["threads"] for run in given],
            "precision": given[0]["precision"],
        }
        for way, given in runs.items()
    }


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    cells = []
    for way, row in result["ways"].items():
        alone, beside, again = (row["img_per_sec"][part] for part in PARTS)
        values = (alone, beside, beside / alone, again, again / alone)
        cells.append([WAYS[way][0], *(number(value) for value in values)])
    header = ["training with", "alone, img/s", "beside a spinning process", "share left"]
    header += ["alone again", "share"]
    return {"busy-neighbour": f"{machine_line(result)}\n\n{table(header, cells)}"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each kind; the median counts")
    parser.add_argument("--part-sec", type=float, default=15.0, help="seconds of each of the three parts")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    parser.add_argument("--train", choices=list(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train is not None:
        print(json.dumps(train_beside(given.part_sec, adapts=given.train.startswith("adapting"))))
        return

    console = Console()
    ways = measure(given.rounds, given.part_sec, console)
    result = result_header("busy_neighbour") | {
        "settings": SETTINGS,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "part_sec": given.part_sec,
        "ways": ways,
    }
    path = write_result(given.out, result)
    print(tables(result)["busy-neighbour"])
    speeds = ways["adapting, brief"]["img_per_sec"]
    share = speeds["beside"] / speeds["alone"]
    held = share >= LEAST_SHARE
    console.print(f"{'held  ' if held else 'MISSED'} share left: {share:.2f} (>= {LEAST_SHARE})")
    console.print(f"written: {path}")
    sys.exit(not held)


if __name__ == "__main__":
    main()
