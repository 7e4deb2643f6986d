"""Where the time of a training step goes, phase by phase, against what the machine allows.

    python benchmarks/roofline.py                       # under three minutes
    python benchmarks/roofline.py --precision fp32 --without-yardstick

At the yardstick's settings: operations and bytes of each phase by formula (`stylegraft.bench.roofline`), the
machine's rates measured in this run, the least time that follows, the time that convolutions alone take, and
the time measured in real steps. Then what multiples of the yardstick would ask of the machine.
Writes `results/<date>-roofline.json` beside this file; `render.py` puts the tables into the documentation.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from stylegraft.bench.convolutions import convolution_phases, measure_rates
from stylegraft.bench.costs import YARDSTICK_SAMPLE_GFLOP, YARDSTICK_TRAINING_GFLOP
from stylegraft.bench.isolated import environment_without_compilers, run_worker
from stylegraft.bench.machine import median_seconds, resolved_precision
from stylegraft.bench.markdown import number, table
from stylegraft.bench.phases import OTHER, measure_phases
from stylegraft.bench.results import machine_line, result_header, write_result
from stylegraft.bench.roofline import Phase, limit_seconds, sample_phases, step_phases
from stylegraft.bench.shipped import build_shipped, run_config
from stylegraft.bench.worker import real_images
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.ops.kernels.switch import compile_kernels
from stylegraft.runtime.openmp import BRIEF

RESULTS = Path(__file__).parent / "results"
NOMINAL_GFLOP = {"training": YARDSTICK_TRAINING_GFLOP, "sampling": YARDSTICK_SAMPLE_GFLOP}
MULTIPLES_ASKED = {"training": 8, "sampling": 12}
SAMPLED_BATCHES = 32


def measure(precision: Any, steps: int, with_yardstick: bool, console: Console) -> dict[str, Any]:
    """Measures everything, machine first, and returns it JSON-ready."""
    settings = YardstickSettings()
    config = run_config(settings, precision)
    compile_kernels(precision)
    rates = measure_rates()
    console.print(f"rates {rates}")
    measured = measure_phases(config, real_images(settings), steps)
    console.print(f"a step takes {measured['step'] * 1e3:.0f} ms")
    alone = convolution_phases(config)
    rows = [_row(phase, rates, measured, alone) for phase in step_phases(config)]
    rows.append({"phase": OTHER, "measured_sec": measured[OTHER]})

    _, sample = build_shipped(precision, settings, real_images(settings))
    phases = sample_phases(config.generator, settings.batch, precision)  # pyright: ignore[reportArgumentType]
    result = {
        "precision": precision,
        "settings": settings.to_dict(),
        "rates": rates,
        "training": {
            "batch": settings.batch,
            "phases": rows,
            "step_sec": measured["step"],
            "limit_sec": limit_seconds(step_phases(config), rates),
            "gflop_per_image": sum(phase.flop for phase in step_phases(config)) / settings.batch / 1e9,
        },
        "sampling": {
            "batch": settings.batch,
            "step_sec": median_seconds(sample, SAMPLED_BATCHES),
            "limit_sec": limit_seconds(phases, rates),
            "gflop_per_image": sum(phase.flop for phase in phases) / settings.batch / 1e9,
        },
    }
    if with_yardstick:
        result["multiples"] = _multiples(result, precision, console)
    return result


def _row(
    phase: Phase, rates: dict[str, float], measured: dict[str, float], alone: dict[str, float]
) -> dict[str, Any]:
    return {
        "phase": phase.name,
        "gflop": phase.flop / 1e9,
        "mbytes": phase.num_bytes / 1e6,
        "limit_sec": phase.seconds(rates),
        "convolutions_sec": alone.get(phase.name),
        "measured_sec": measured.get(phase.name, 0.0),
    }


def _multiples(result: dict[str, Any], precision: str, console: Console) -> dict[str, Any]:
    """What multiples of the yardstick would ask of the machine, and what it can give."""
    rates, answer = result["rates"], {}
    environment = environment_without_compilers() | BRIEF  # as the command line
    for what, asked in MULTIPLES_ASKED.items():
        steps = 16 if what == "training" else SAMPLED_BATCHES
        speeds = {
            which: run_worker(["--which", which, "--what", what, "--steps", str(steps)], environment)
            for which in ("yardstick", precision)
        }
        yardstick, speed = speeds["yardstick"]["img_per_sec"], speeds[precision]["img_per_sec"]
        gflop = NOMINAL_GFLOP[what]
        gemm = rates[f"gemm_{precision}_gflops"]
        limit = result[what]["batch"] / result[what]["limit_sec"]
        answer[what] = {
            "yardstick_img_per_sec": yardstick,
            "img_per_sec": speed,
            "yardstick_fraction_of_fp32_gemm": gflop * yardstick / rates["gemm_fp32_gflops"],
            "fraction_of_gemm": gflop * speed / gemm,
            "limit_img_per_sec": limit,
            "limit_times_yardstick": limit / yardstick,
        }
        if precision == "bf16":  # what is asked for, is asked for with bf16 units
            answer[what] |= {"asked": asked, "asked_fraction_of_gemm": gflop * asked * yardstick / gemm}
        console.print(f"{what}: {answer[what]}")
    return answer


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    parts = {"roofline-machine": machine_line(result), "roofline-phases": _phase_table(result)}
    parts["roofline-summary"] = _summary(result)
    if "multiples" in result:
        parts["roofline-multiples"] = _multiples_table(result)
    return parts


def _phase_table(result: dict[str, Any]) -> str:
    columns = ("gflop", "mbytes", "limit_sec", "convolutions_sec", "measured_sec")
    rows = result["training"]["phases"]
    total = {name: sum(row.get(name) or 0.0 for row in rows) for name in columns}
    cells = []
    for row in [*rows, {"phase": "**all**", **total}]:
        times = [row.get(name) for name in columns[2:]]
        cells.append(
            [
                row["phase"],
                *(number(row.get(name)) for name in columns[:2]),
                *(number(None if value is None else value * 1e3) for value in times),
                number(row["limit_sec"] / row["measured_sec"]) if row.get("limit_sec") else "",
            ]
        )
    header = ["phase, a step", "GFLOP", "MB", "limit, ms", "convolutions alone, ms", "measured, ms"]
    return table([*header, "limit / measured"], cells)


def _summary(result: dict[str, Any]) -> str:
    cells = []
    for what in ("training", "sampling"):
        part = result[what]
        limit, speed = part["batch"] / part["limit_sec"], part["batch"] / part["step_sec"]
        numbers = (part["gflop_per_image"], limit, speed, speed / limit)
        cells.append([f"{what}, {result['precision']}", *map(number, numbers)])
    header = ["", "GFLOP an image, as done", "limit, img/s", "measured, img/s", "measured / limit"]
    return table(header, cells)


def _multiples_table(result: dict[str, Any]) -> str:
    precision = result["precision"]
    gemm = result["rates"][f"gemm_{precision}_gflops"]
    cells, sentences = [], []
    for what, part in result["multiples"].items():
        yardstick, speed = part["yardstick_img_per_sec"], part["img_per_sec"]
        numbers = (
            yardstick,
            part["yardstick_fraction_of_fp32_gemm"],
            speed,
            part["fraction_of_gemm"],
            speed / yardstick,
            part["limit_times_yardstick"],
        )
        cells.append([what, *map(number, numbers)])
        if "asked" not in part:
            continue
        cells[-1] += [number(part["asked"]), number(part["asked_fraction_of_gemm"])]
        asked_gflops = NOMINAL_GFLOP[what] * part["asked"] * yardstick
        sentences.append(
            f"{what.capitalize()}: {part['asked']} x {yardstick:.1f} img/s x {NOMINAL_GFLOP[what]} GFLOP = "
            f"{asked_gflops:.0f} GFLOP/s, where one large matrix product reaches {gemm:.0f}. Without any "
            f"overhead, all products at the best rate and all bytes at the copy rate, it would be "
            f"{part['limit_times_yardstick']:.1f} times the yardstick."
        )
    header = ["", "yardstick, img/s", "of the fp32 rate", f"{precision}, img/s", f"of the {precision} rate"]
    header += ["times yardstick", "limit, times yardstick"]
    if sentences:
        header += ["asked, times", "asked, of the rate"]
    return "\n\n".join([table(header, cells), *sentences])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precision", choices=["auto", "bf16", "fp32"], default="auto")
    parser.add_argument("--steps", type=int, default=8, help="training steps of a kind that count")
    parser.add_argument("--without-yardstick", action="store_true", help="leave out the comparison")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    given = parser.parse_args()
    precision = resolved_precision(given.precision)
    torch.manual_seed(0)

    console = Console()
    result = result_header("roofline") | measure(precision, given.steps, not given.without_yardstick, console)
    path = write_result(given.out, result)
    for name, text in tables(result).items():
        print(f"\n{name}\n\n{text}")
    console.print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
