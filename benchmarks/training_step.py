"""Compares the shipped training step and sampler with the yardstick, and both with the machine.

    python benchmarks/training_step.py                  # the whole table, about a quarter of an hour
    python benchmarks/training_step.py --rounds 1       # a quick look

Each measurement runs in a process of its own, with every C and C++ compiler taken off the PATH; the
candidates take turns, so that a machine that slows down slows all of them; medians over the rounds count.
Writes `results/<date>-training_step.json` beside this file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stylegraft.bench.costs import YARDSTICK_SAMPLE_GFLOP, YARDSTICK_TRAINING_GFLOP
from stylegraft.bench.isolated import environment_without_compilers, run_worker
from stylegraft.bench.machine import bf16_pays
from stylegraft.bench.results import rates_text
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.files import write_text

NOMINAL_GFLOP = {"training": YARDSTICK_TRAINING_GFLOP, "sampling": YARDSTICK_SAMPLE_GFLOP}
SAMPLED_BATCHES = 32
MEMORY_BAR_MB = 1000
RATIO_BARS = {
    ("training", "bf16"): 8.0,
    ("sampling", "bf16"): 12.0,
    ("training", "fp32"): 1.3,
    ("sampling", "fp32"): 1.8,
}
GEMM_BARS = {("training", "bf16"): 0.40, ("sampling", "bf16"): 0.35, ("training", "fp32"): 0.60}


def yardstick_bar(gemm_fp32_gflops: float) -> float:
    """What the yardstick itself has to reach, img/s: 0.9 of the official implementation on a CPU."""
    return 0.9 * 5.9 * gemm_fp32_gflops / 320


def run_rounds(rounds: int, steps: int, console: Console) -> dict[str, Any]:
    """Measures everything `rounds` times in turn and returns the raw measurements."""
    environment = environment_without_compilers()
    machine: dict[str, Any] = {}
    rates: list[dict[str, float]] = []
    runs: list[dict[str, Any]] = []
    for number in range(rounds):
        answer = run_worker(["--what", "machine"], environment)
        machine = answer["machine"]
        rates.append(answer["rates"])
        candidates = ["yardstick", "fp32"] + (["bf16"] if bf16_pays(rates[0]) else [])
        for what in NOMINAL_GFLOP:
            for which in candidates:
                count = steps if what == "training" else SAMPLED_BATCHES
                run = run_worker(["--which", which, "--what", what, "--steps", str(count)], environment)
                runs.append(run | {"round": number})
                console.print(
                    f"round {number + 1}/{rounds}: {what:8} {which:9} {run['img_per_sec']:8.2f} img/s"
                    f"   {run['peak_memory_mb']:6.0f} MB"
                )
    return {"machine": machine, "rates": rates, "runs": runs}


def summarise(raw: dict[str, Any]) -> dict[str, Any]:
    """Returns medians, ratios to the yardstick, fractions of the matrix-product rate, and the bars."""
    rates = {name: statistics.median(rate[name] for rate in raw["rates"]) for name in raw["rates"][0]}
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for key in dict.fromkeys((run["what"], run["which"]) for run in raw["runs"]):
        runs = [run for run in raw["runs"] if (run["what"], run["which"]) == key]
        speed = statistics.median(run["img_per_sec"] for run in runs)
        gemm = rates["gemm_bf16_gflops" if key[1] == "bf16" else "gemm_fp32_gflops"]
        rows[key] = {
            "img_per_sec": speed,
            "slowest": min(run["img_per_sec"] for run in runs),
            "fastest": max(run["img_per_sec"] for run in runs),
            "gemm_fraction": NOMINAL_GFLOP[key[0]] * speed / gemm,
            "peak_memory_mb": max(run["peak_memory_mb"] for run in runs),
        }
    for (what, _), row in rows.items():
        row["times_yardstick"] = row["img_per_sec"] / rows[what, "yardstick"]["img_per_sec"]

    bars = [
        _bar(
            "yardstick training, img/s",
            yardstick_bar(rates["gemm_fp32_gflops"]),
            rows["training", "yardstick"]["img_per_sec"],
        )
    ]
    for key, wanted in RATIO_BARS.items():
        if key in rows:
            bars.append(_bar(f"{key[0]} {key[1]}, times yardstick", wanted, rows[key]["times_yardstick"]))
    for key, wanted in GEMM_BARS.items():
        if key in rows:
            bars.append(_bar(f"{key[0]} {key[1]}, of GEMM", wanted, rows[key]["gemm_fraction"]))
    for (what, which), row in rows.items():
        if what == "training" and which != "yardstick":
            got = row["peak_memory_mb"]
            bars.append(_bar(f"training {which}, peak MB", MEMORY_BAR_MB, got, at_most=True))
    results = [{"what": what, "which": which, **row} for (what, which), row in rows.items()]
    return {"rates": rates, "results": results, "bars": bars}


def _bar(name: str, wanted: float, got: float, at_most: bool = False) -> dict[str, Any]:
    held = got <= wanted if at_most else got >= wanted
    return {"name": name, "at_most" if at_most else "at_least": wanted, "got": got, "held": held}


def show(summary: dict[str, Any], console: Console) -> None:
    """Prints the tables."""
    console.print(f"\n{rates_text(summary['rates'])}")
    table = Table("what", "which", "img/s", "min..max", "x yardstick", "of GEMM", "peak MB")
    for row in summary["results"]:
        table.add_row(
            row["what"],
            row["which"],
            f"{row['img_per_sec']:.2f}",
            f"{row['slowest']:.1f}..{row['fastest']:.1f}",
            f"{row['times_yardstick']:.2f}",
            f"{row['gemm_fraction']:.2f}",
            f"{row['peak_memory_mb']:.0f}",
        )
    console.print(table)
    for bar in summary["bars"]:
        limit = f"<= {bar['at_most']:.2f}" if "at_most" in bar else f">= {bar['at_least']:.2f}"
        console.print(f"{'held  ' if bar['held'] else 'MISSED'} {bar['name']}: {bar['got']:.2f} ({limit})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each kind; the median counts")
    parser.add_argument(
        "--steps",
        type=int,
        default=16,
        help="training steps counted; a multiple of 16 covers both regularisers",
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results", help="folder of the JSON"
    )
    given = parser.parse_args()
    if given.steps % 16:
        parser.error(f"--steps: expected a multiple of 16 (one R1, four path lengths), got {given.steps}")

    console = Console()
    raw = run_rounds(given.rounds, given.steps, console)
    summary = summarise(raw)
    show(summary, console)

    now = datetime.datetime.now(datetime.UTC)
    report = {
        "schema_version": 1,
        "date": now.isoformat(timespec="seconds"),
        "benchmark": "training_step",
        "machine": raw["machine"],
        "settings": YardstickSettings().to_dict(),
        "protocol": {
            "rounds": given.rounds,
            "training_steps": given.steps,
            "sampled_batches": SAMPLED_BATCHES,
            "order": "interleaved, each measurement in a fresh process",
            "compilers_on_path": sorted({name for run in raw["runs"] for name in run["compilers_on_path"]}),
        },
        "nominal_gflop_per_image": NOMINAL_GFLOP,
        **summary,
        "raw": {"rates": raw["rates"], "runs": raw["runs"]},
    }
    path = given.out / f"{now:%Y-%m-%d}-training_step.json"
    write_text(path, json.dumps(report, indent=1) + "\n")
    console.print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
