"""Where kernels may stand in for torch operations: they differentiate once only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from stylegraft.ops.kernels.parallel import Maps, can_share

_first_order = ContextVar("first_order", default=False)


@contextmanager
def first_order(holds: bool = True) -> Iterator[None]:
    """Promises that what is computed here is differentiated at most once, or takes the promise back.

    R1 and path length regularisation differentiate a gradient; they stay outside.
    """
    token = _first_order.set(holds)
    try:
        yield
    finally:
        _first_order.reset(token)


def kernels_fit(x: torch.Tensor) -> bool:
    """Returns whether kernels may work on `x`: [N, C, H, W] in channels_last on a CPU, bfloat16 or float32.

    Without gradients they always may; else only within `first_order`. Not where they would have to do on one
    thread what torch does on several. Not where both memory formats are the same, as with one channel, for
    networks in the layout of public files are to compute as their own code does. Nor while a graph is
    recorded, for export or torch.compile: a kernel works on memory, and there is none.
    """
    return (
        not torch.compiler.is_compiling()
        and x.dtype in (torch.bfloat16, torch.float32)
        and x.device.type == "cpu"
        and x.ndim == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not x.is_contiguous()
        and (_first_order.get() or not torch.is_grad_enabled())
        and can_share()
    )


def compile_kernels(maps: Maps) -> None:
    """Makes sure that all kernels of a run are machine code, so that no measurement waits for them.

    The first call after an installation compiles them; later ones, in any process, read them from disk.

    Args:
        maps: number type of the run's convolutions. Some layers are in fp32 in any case.
    """
    from stylegraft.ops.kernels.machine_code import addresses

    for needed in {maps, "fp32"}:
        addresses(needed)
