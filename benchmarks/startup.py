"""How long `stylegraft train` takes from its start to its first step, and how much memory it needs.

    python benchmarks/startup.py                        # about two minutes; without bf16 units, four
    python benchmarks/startup.py --rounds 1 --steps 1   # the start alone

The public command line is started at the yardstick's settings on images rendered here, each time in a process
of its own, on a set that it has opened before, without distances. The clock starts before Python does and
stops when the first step is done, which has both regularisers; when it begins is noted too. Noted apart are
the first start of all, which decodes the set and may have to compile kernels, and a start with distances,
which measures steps for a forecast, loads the feature network and takes the first distance before it trains.
Peak memory is that of the process after `--steps` steps.
Writes `results/<date>-startup.json` beside this file; `render.py` puts it into the documentation.
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

from rich.console import Console

from stylegraft.bench.isolated import environment_without_compilers
from stylegraft.bench.machine import peak_memory_mb, resolved_precision
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, write_result
from stylegraft.bench.yardstick import AUGMENT_PRESET, YardstickSettings
from stylegraft.data.beans import write_bean_set

RESULTS = Path(__file__).parent / "results"
NUM_IMAGES, ROUNDS, STEPS = 1000, 5, 17
MOST_SEC, MOST_MB = 6.0, 1000.0


def train_arguments(images: Path, run: Path, precision: str, distances: bool = False) -> list[str]:
    """Returns the words after `stylegraft` that train at the yardstick's settings."""
    settings = YardstickSettings()
    flags = {
        "preset": "standard",
        "out": run,
        "kimg": 100,
        "channel-base": settings.channel_base,
        "channel-max": settings.channel_max,
        "z-dim": settings.z_dim,
        "w-dim": settings.w_dim,
        "mapping-layers": settings.mapping_layers,
        "batch": settings.batch,
        "mixing-prob": settings.mixing_probability,
        "pl-weight": settings.pl_weight,
        "gamma": settings.r1_gamma,
        "lr": settings.learning_rate,
        "aug": "fixed",
        "aug-p": settings.ada_p,
        "aug-preset": AUGMENT_PRESET,
        "precision": precision,
    }
    if not distances:
        flags["eval-share"] = 0
    return [
        "train",
        str(images),
        *(word for name, value in flags.items() for word in (f"--{name}", str(value))),
    ]


def train(arguments: list[str], steps: int, out: Path) -> None:
    """Runs the command in this process until `steps` steps are done; leaves what it found in `out`."""
    from stylegraft.cli.main import main as stylegraft
    from stylegraft.training import loop

    train_step, begins, ends = loop.train_step, [], []

    def counted(state: Any, context: Any) -> None:
        begins.append(time.time())
        train_step(state, context)
        ends.append(time.time())
        if len(ends) == steps:
            found = {"began_at": begins[0], "first_step_at": ends[0], "peak_memory_mb": peak_memory_mb()}
            out.write_text(json.dumps(found), encoding="utf-8")
            sys.stdout.flush()
            os._exit(0)

    loop.train_step = counted
    sys.exit(stylegraft(arguments))


def start_once(
    images: Path, precision: str, steps: int, cache: Path, distances: bool = False
) -> dict[str, float]:
    """Returns the seconds until the first step of a new process begins and is done, and its peak memory."""
    environment = environment_without_compilers() | {"STYLEGRAFT_CACHE": str(cache)}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        words = train_arguments(images, Path(folder) / "run", precision, distances)
        command = [sys.executable, __file__, "--steps", str(steps), "--train", str(answer), json.dumps(words)]
        start = time.time()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not answer.exists():
            sys.exit(f"{' '.join(words)} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    return {
        "begins_sec": found["began_at"] - start,
        "first_step_sec": found["first_step_at"] - start,
        "peak_memory_mb": found["peak_memory_mb"],
    }


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated part by name, as Markdown."""
    names = ("begins_sec", "first_step_sec", "first_ever_sec", "with_distances_sec", "peak_memory_mb")
    numbers = [result[name] for name in names]
    header = ["", "first step begins, s", "is done, s", "the first start of all, s", "with distances, s"]
    header.append("peak memory, MB")
    cells = table(header, [[f"training, {result['precision']}", *map(number, numbers)]])
    return {"startup": f"{machine_line(result)}\n\n{cells}"}


def bars(result: dict[str, Any]) -> list[tuple[str, bool]]:
    """Returns a sentence a bar, and whether it holds."""
    sec, megabytes = result["first_step_sec"], result["peak_memory_mb"]
    return [
        (f"start to first step: {sec:.1f} s (<= {MOST_SEC:g})", sec <= MOST_SEC),
        (f"peak memory: {megabytes:,.0f} MB (<= {MOST_MB:,.0f})", megabytes <= MOST_MB),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="starts that count; the median of them")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps until the memory is read")
    parser.add_argument("--precision", choices=["auto", "bf16", "fp32"], default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train is not None:
        answer, words = given.train
        train(json.loads(words), given.steps, Path(answer))

    console = Console()
    precision = resolved_precision(given.precision)
    with tempfile.TemporaryDirectory() as folder:
        images, cache = Path(folder) / "beans", Path(folder) / "cache"
        write_bean_set(images, NUM_IMAGES, YardstickSettings().resolution_px, seed=0)
        time.sleep(3)  # a file that was changed just now is read again every time
        runs = []
        for index in range(given.rounds + 1):
            # Memory is looked at once: it is the same every time, and the steps take long.
            steps = given.steps if index == given.rounds else 1
            runs.append(start_once(images, precision, steps, cache))
            console.print(f"start {index}: {runs[-1]}", highlight=False)
        with_distances = start_once(images, precision, 1, cache, distances=True)
    result = result_header("startup") | {
        "precision": precision,
        "num_images": NUM_IMAGES,
        "steps": given.steps,
        "first_ever_sec": runs[0]["first_step_sec"],
        "begins_sec": statistics.median(run["begins_sec"] for run in runs[1:]),
        "first_step_sec": statistics.median(run["first_step_sec"] for run in runs[1:]),
        "with_distances_sec": with_distances["first_step_sec"],
        "peak_memory_mb": runs[-1]["peak_memory_mb"],
        "runs": runs,
    }
    path = write_result(given.out, result)
    print(tables(result)["startup"])
    for text, holds in bars(result):
        console.print(f"{'held  ' if holds else 'MISSED'} {text}", highlight=False)
    console.print(f"written: {path}")


if __name__ == "__main__":
    main()
