"""What another process on one core costs, where OpenMP's threads wait asleep and where they spin (default).

    python benchmarks/busy_neighbour.py                 # under three minutes; Linux

A small setting (32 px) is trained in a process of its own: alone, and beside a process that spins on the
first core, each under OMP_WAIT_POLICY=passive (what `stylegraft` sets) and without it. With N cores and one
of them shared evenly, a fair scheduler leaves 1 - 1 / (2 N) of the machine; work that two threads split
evenly waits for the slower one, which leaves 1/2. More than that must not be lost.
Writes `results/<date>-busy_neighbour.json` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from stylegraft.bench.isolated import environment_without_compilers, run_worker
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, write_result

RESULTS = Path(__file__).parent / "results"
LEAST_SHARE = 0.5
SETTINGS = {"resolution_px": 32, "channel_base": 1024, "channel_max": 64, "z_dim": 128, "w_dim": 128}
POLICIES = {"passive": {"OMP_WAIT_POLICY": "passive"}, "default": {}}
_SPIN = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
while True:
    pass
"""


@contextmanager
def neighbour(spins: bool) -> Iterator[None]:
    """Keeps one core busy while the block runs, or does nothing."""
    process = subprocess.Popen([sys.executable, "-c", _SPIN]) if spins else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def measure(rounds: int, steps: int, console: Console) -> dict[str, dict[str, float]]:
    """Returns img/s, medians over rounds, by policy and "alone" or "beside"; policies take turns."""
    environment = environment_without_compilers()
    environment.pop("OMP_WAIT_POLICY", None)
    arguments = ["--which", "bf16", "--steps", str(steps), "--settings", json.dumps(SETTINGS)]
    speeds: dict[str, dict[str, list[float]]] = {name: {"alone": [], "beside": []} for name in POLICIES}
    for _ in range(rounds):
        for policy, variables in POLICIES.items():
            for place in ("alone", "beside"):
                with neighbour(spins=place == "beside"):
                    run = run_worker(arguments, environment | variables)
                speeds[policy][place].append(run["img_per_sec"])
                console.print(f"{policy:8} {place:7} {run['img_per_sec']:7.1f} img/s")
    return {
        policy: {place: statistics.median(values) for place, values in places.items()}
        for policy, places in speeds.items()
    }


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    cells = [
        [f"`OMP_WAIT_POLICY={name}`" if name != "default" else "OpenMP's default"]
        + [number(value) for value in (row["alone"], row["beside"], row["beside"] / row["alone"])]
        for name, row in result["img_per_sec"].items()
    ]
    header = ["threads wait by", "alone, img/s", "beside a spinning process, img/s", "share left"]
    return {"busy-neighbour": f"{machine_line(result)}\n\n{table(header, cells)}"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind; the median counts")
    parser.add_argument("--steps", type=int, default=32, help="training steps of a measurement")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    given = parser.parse_args()

    console = Console()
    speeds = measure(given.rounds, given.steps, console)
    result = result_header("busy_neighbour") | {
        "settings": SETTINGS,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "img_per_sec": speeds,
    }
    path = write_result(given.out, result)
    print(tables(result)["busy-neighbour"])
    share = speeds["passive"]["beside"] / speeds["passive"]["alone"]
    held = share >= LEAST_SHARE
    console.print(f"{'held  ' if held else 'MISSED'} share left: {share:.2f} (>= {LEAST_SHARE})")
    console.print(f"written: {path}")
    sys.exit(not held)


if __name__ == "__main__":
    main()
