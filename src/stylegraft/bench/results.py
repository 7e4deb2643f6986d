"""Dated results on disk: one JSON file a run, with the machine it ran on."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylegraft.errors import InputError
from stylegraft.files import write_text
from stylegraft.runtime.machine import describe_machine

SCHEMA_VERSION = 1


def result_header(benchmark: str) -> dict[str, Any]:
    """Returns what every result begins with: schema version, date (UTC), name and machine."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "schema_version": SCHEMA_VERSION,
        "date": now.isoformat(timespec="seconds"),
        "benchmark": benchmark,
        "machine": describe_machine(),
    }


def write_result(path: Path, result: Mapping[str, Any]) -> Path:
    """Writes a result to a file, or into a folder as `<date>-<benchmark>.json`; returns the file.

    Raises:
        RunError: the place cannot be written.
    """
    path = result_path(path, result)
    write_text(path, json.dumps(result, indent=1) + "\n")
    return path


def result_path(path: Path, result: Mapping[str, Any]) -> Path:
    """Returns the file of a result: `path` itself if it ends in .json, else one in that folder."""
    if path.suffix.lower() == ".json":
        return path
    return path / f"{result['date'][:10]}-{result['benchmark']}.json"


def newest_results(folder: Path, benchmark: str) -> list[dict[str, Any]]:
    """Returns the newest result of a benchmark on each kind of machine, the newest of all first.

    Raises:
        InputError: there is none.
    """
    paths = sorted(folder.glob(f"????-??-??-{benchmark}.json"), reverse=True)
    if not paths:
        raise InputError(f"{folder}: expected a result of {benchmark}, found none. Run the benchmark first.")
    newest: dict[str, dict[str, Any]] = {}
    for path in paths:
        result = json.loads(path.read_text(encoding="utf-8"))
        newest.setdefault(kind_of_machine(result), result)
    return list(newest.values())


def kind_of_machine(result: Mapping[str, Any]) -> str:
    """Returns what decides a result's number type: the processor's bf16 units, or "no bf16 units"."""
    flags = [flag for flag in result["machine"]["flags"] if "bf16" in flag or "amx" in flag]
    return ", ".join(flags) or "no bf16 units"


def machine_line(result: Mapping[str, Any]) -> str:
    """Returns one line on where and when a result was measured."""
    machine = result["machine"]
    place = (
        f"{result['date'][:10]}, {machine['cpu']}, {machine['logical_cores']} cores, "
        f"{kind_of_machine(result)}, torch {machine['torch']}"
    )
    rates = result.get("rates")
    return f"{place}; {rates_text(rates)}." if rates else f"{place}."


def rates_text(rates: Mapping[str, float]) -> str:
    """Returns rates of `machine.measure_machine` or `convolutions.measure_rates` in words."""
    parts = []
    for name, what in (("gemm", "matrix products"), ("convolution", "convolutions")):
        if f"{name}_fp32_gflops" in rates:
            text = f"{what} {rates[f'{name}_fp32_gflops']:.0f} GFLOP/s in fp32"
            bf16 = rates.get(f"{name}_bf16_gflops")
            parts.append(text if bf16 is None else f"{text}, {bf16:.0f} in bf16")
    return "; ".join([*parts, f"copies {rates['copy_gb_per_sec']:.0f} GB/s"])
