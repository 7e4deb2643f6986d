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


def newest_result(folder: Path, benchmark: str) -> dict[str, Any]:
    """Returns the newest result of a benchmark in a folder.

    Raises:
        InputError: there is none.
    """
    paths = sorted(folder.glob(f"????-??-??-{benchmark}.json"))
    if not paths:
        raise InputError(f"{folder}: expected a result of {benchmark}, found none. Run the benchmark first.")
    return json.loads(paths[-1].read_text(encoding="utf-8"))


def machine_line(result: Mapping[str, Any]) -> str:
    """Returns one line on where and when a result was measured."""
    machine, rates = result["machine"], result.get("rates")
    flags = [flag for flag in machine["flags"] if "bf16" in flag or "amx" in flag]
    parts = [
        f"{result['date'][:10]}, {machine['cpu']}, {machine['logical_cores']} cores, "
        f"{', '.join(flags) or 'no bf16 units'}, torch {machine['torch']}"
    ]
    for name, what in (("gemm", "matrix products"), ("convolution", "convolutions")):
        if rates and f"{name}_fp32_gflops" in rates:
            fp32, bf16 = rates[f"{name}_fp32_gflops"], rates[f"{name}_bf16_gflops"]
            parts.append(f"{what} {fp32:.0f} GFLOP/s in fp32, {bf16:.0f} in bf16")
    if rates:
        parts.append(f"copies {rates['copy_gb_per_sec']:.0f} GB/s")
    return "; ".join(parts) + "."
