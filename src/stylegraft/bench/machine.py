"""What this machine can do: matrix-multiply rate, copy rate, peak memory of the process."""

from __future__ import annotations

import ctypes
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch

from stylegraft.runtime.machine import proc_lines
from stylegraft.runtime.precision import Precision, compute_dtype, has_bf16_units

GEMM_SIZE = 2048
BF16_UNITS_RATIO = 1.5
_TRIAL_SIZE = 256


def gemm_rate(dtype: torch.dtype, size: int = GEMM_SIZE, repeats: int = 7) -> float:
    """Returns the median rate of `size`^3 matrix products in GFLOP/s (2 FLOP a multiply-add).

    Args:
        dtype: torch.float32 or torch.bfloat16.
        size: rows and columns of both factors.
        repeats: timed products, after two warm ones.
    """
    a = torch.rand(size, size).to(dtype)
    b = torch.rand(size, size).to(dtype)
    seconds = median_seconds(lambda: torch.mm(a, b), repeats)
    return 2 * size**3 / seconds / 1e9


def copy_rate(size_mb: int = 256, repeats: int = 7) -> float:
    """Returns the median rate of a large copy in GB/s, bytes read and bytes written both counted.

    Args:
        size_mb: size of the source in MB (10^6 bytes); large against the caches.
        repeats: timed copies, after two warm ones.
    """
    source = torch.ones(size_mb * 250_000)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), repeats)
    return 2 * size_mb / 1e3 / seconds


def measure_machine() -> dict[str, float]:
    """Returns `gemm_fp32_gflops`, `copy_gb_per_sec`, and maybe `gemm_bf16_gflops`, measured now.

    The latter is there where bf16 products are not slower than fp32's. Where they are emulated, a large one
    takes half a minute, and nobody should use them.
    """
    rates = {"gemm_fp32_gflops": gemm_rate(torch.float32), "copy_gb_per_sec": copy_rate()}
    trial = [gemm_rate(dtype, _TRIAL_SIZE, repeats=3) for dtype in (torch.bfloat16, torch.float32)]
    if has_bf16_units(torch.device("cpu")) or trial[0] >= trial[1]:
        rates["gemm_bf16_gflops"] = gemm_rate(torch.bfloat16)
    return rates


def bf16_pays(rates: Mapping[str, float]) -> bool:
    """Returns whether bf16 matrix products are fast here: the processor says so, or `rates` show it.

    Args:
        rates: of `measure_machine`.
    """
    if "gemm_bf16_gflops" not in rates:
        return False
    measured = rates["gemm_bf16_gflops"] >= BF16_UNITS_RATIO * rates["gemm_fp32_gflops"]
    return measured or has_bf16_units(torch.device("cpu"))


def resolved_precision(asked: Precision) -> Literal["fp32", "bf16"]:
    """Returns the number type that training would take on this processor: what is asked for, or its own."""
    return "bf16" if compute_dtype(asked, torch.device("cpu")) == torch.bfloat16 else "fp32"


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Returns the median time of a call, in seconds, after two warm ones."""
    run()
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_memory_mb() -> float:
    """Returns the largest resident size of this process so far, in MB (10^6 bytes).

    On Linux this is VmHWM and not `ru_maxrss`, which is inherited from the process that started this one.
    """
    for line in proc_lines("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return _windows_peak_bytes() / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def _windows_peak_bytes() -> int:
    """PeakWorkingSetSize of PROCESS_MEMORY_COUNTERS, from psapi."""

    class Counters(ctypes.Structure):
        _fields_ = [
            ("cb", ctypes.c_ulong),
            ("PageFaultCount", ctypes.c_ulong),
            *[
                (name, ctypes.c_size_t)
                for name in (
                    "PeakWorkingSetSize",
                    "WorkingSetSize",
                    "QuotaPeakPagedPoolUsage",
                    "QuotaPagedPoolUsage",
                    "QuotaPeakNonPagedPoolUsage",
                    "QuotaNonPagedPoolUsage",
                    "PagefileUsage",
                    "PeakPagefileUsage",
                )
            ],
        ]

    windll: Any = getattr(ctypes, "windll")  # noqa: B009 - the name exists on Windows only
    windll.kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    query = windll.kernel32.K32GetProcessMemoryInfo
    query.argtypes = [ctypes.c_void_p, ctypes.POINTER(Counters), ctypes.c_ulong]
    counters = Counters(cb=ctypes.sizeof(Counters))
    if not query(windll.kernel32.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
        raise ctypes.WinError()  # pyright: ignore[reportAttributeAccessIssue]
    return counters.PeakWorkingSetSize
