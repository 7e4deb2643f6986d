"""What this machine is: processor, cores, threads, instruction sets, versions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

_REPORTED_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "bf16", "i8mm", "sve")


def describe_machine() -> dict[str, Any]:
    """Returns JSON-ready facts: processor, cores, threads, instruction sets, memory, versions."""
    flags = cpu_flags()
    return {
        "cpu": _cpu_name(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "logical_cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "flags": [flag for flag in _REPORTED_FLAGS if flag in flags],
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def cpu_flags() -> frozenset[str]:
    """Returns the processor's feature names as Linux lists them; empty on other systems."""
    for line in proc_lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def proc_lines(path: str) -> list[str]:
    """Returns the lines of a file of Linux's /proc; none on other systems."""
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []


def _cpu_name() -> str:
    for line in proc_lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if answer:
            return answer
    return platform.processor() or platform.machine()
