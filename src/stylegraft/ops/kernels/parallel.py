"""Starts a kernel on the threads that torch computes with.

Torch keeps its OpenMP threads spinning for a moment after each operation, in wait of the next. Threads of
anybody else would compete with them for the same cores; so kernels run on torch's own team, through the entry
that compilers use for `#pragma omp parallel`. Where torch has another runtime, a kernel runs on one thread.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import torch

Maps = Literal["bf16", "fp32"]
"""Number type of the feature maps that a kernel works on."""

_RUNTIMES = ("*libgomp*.so*", "*libomp*.dylib", "*libiomp5*.so*")
_ALONE = 0  # in place of the two addresses
_WORTH_THREADS = 1 << 15  # torch splits its own elementwise operations from here on


@cache
def _team() -> tuple[Callable[..., None] | None, int, int]:
    """Returns GOMP_parallel of torch's OpenMP runtime and where it answers: how many threads, which one."""
    home = Path(torch.__file__).parent
    for folder in (home / "lib", home.with_name("torch.libs")):
        for pattern in _RUNTIMES:
            for path in sorted(folder.glob(pattern)):
                try:
                    library = ctypes.CDLL(str(path))
                    start = library.GOMP_parallel
                    count, number = (
                        ctypes.cast(getattr(library, name), ctypes.c_void_p).value or _ALONE
                        for name in ("omp_get_num_threads", "omp_get_thread_num")
                    )
                except (OSError, AttributeError):
                    continue
                start.restype = None
                start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
                return start, count, number
    return None, _ALONE, _ALONE


class Kernel:
    """A function of `code`: found, or compiled with all others, when it is first used.

    Args:
        name: "module.function".
        maps: type of the feature maps, see `machine_code.addresses`.
    """

    def __init__(self, name: str, maps: Maps) -> None:
        self._name, self._maps = name, maps

    @cached_property
    def address(self) -> int:
        """Where the machine code of the C function `void f(int64_t *)` is."""
        # Here, because it loads LLVM, which training on a GPU has no use for.
        from stylegraft.ops.kernels.machine_code import addresses

        return addresses(self._maps)[self._name]

    @cached_property
    def run(self) -> Callable[[int], None]:
        """Runs the kernel on this thread; takes the address of its int64."""
        return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.address)


def kernels(name: str) -> dict[torch.dtype, Kernel]:
    """Returns a function of `code`, "module.function", for each type of feature maps."""
    return {torch.bfloat16: Kernel(name, "bf16"), torch.float32: Kernel(name, "fp32")}


def launch(kernel: Kernel, work: int, *values: int | float | torch.Tensor) -> None:
    """Runs a kernel to its end.

    The kernel reads an array of int64: the addresses of the functions that say how many threads there are and
    which of them it runs on (`code.memory.call_int`), or 0 on one thread; then `values`: integers, bits of
    float64, addresses. It must ask, for OpenMP may start fewer threads than were asked for
    (OMP_THREAD_LIMIT, OMP_DYNAMIC), and the work of the others would be left undone.

    Args:
        kernel: what to run.
        work: how many values it touches; a few are not worth waking the other threads for.
        values: what it works on. Tensors are dense, and in the memory format that the kernel expects.
    """
    start, count, number = _team()
    threads = torch.get_num_threads() if start and work >= _WORTH_THREADS else 1
    is_alone = start is None or threads == 1
    words = [_ALONE, _ALONE] if is_alone else [count, number]
    words += [_word(value) for value in values]
    array = (ctypes.c_int64 * len(words))(*words)
    if start is None or is_alone:
        kernel.run(ctypes.addressof(array))
    else:
        start(kernel.address, ctypes.addressof(array), threads, 0)


def can_share() -> bool:
    """Returns whether kernels run on as many threads as torch does."""
    return _team()[0] is not None or torch.get_num_threads() == 1


def _word(value: int | float | torch.Tensor) -> int:
    if isinstance(value, torch.Tensor):
        return value.data_ptr()
    if isinstance(value, float):
        return struct.unpack("q", struct.pack("d", value))[0]
    return value
