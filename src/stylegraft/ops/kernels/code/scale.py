"""Machine code of a factor for each sample and channel, see `kernels.scale`.

`maps` makes pointers to feature maps, of `memory.MAPS`.

Tensor numbers: x 0, factors 1, y 2, grad_y 3, grad_x 4, grad_factors 5.
"""

from __future__ import annotations

from typing import Any

from stylegraft.ops.kernels.code.memory import arguments, call_int, floats, kernel, load, store


def forward(maps: Any) -> Any:
    """y = x * factors."""

    @kernel()
    def run(address: Any) -> None:
        a = arguments(address)
        threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
        n, pixels, channels = a[2], a[3], a[4]
        x, factors, y = maps(a[5]), floats(a[6]), maps(a[7])
        for row in range(n * pixels * thread // threads, n * pixels * (thread + 1) // threads):
            first, s = row * channels, row // pixels * channels
            for c in range(channels):
                store(y, first + c, load(x, first + c, 0) * load(factors, s + c, 1), 2)

    return run


def backward(maps: Any) -> Any:
    """The gradients of x and factors."""

    @kernel("reassoc", "contract", "nsz")
    def run(address: Any) -> None:
        a = arguments(address)
        threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
        n, pixels, channels = a[2], a[3], a[4]
        x, factors, grad_y = maps(a[5]), floats(a[6]), maps(a[7])
        grad_x, grad_factors = maps(a[8]), floats(a[9])
        for sample in range(n * thread // threads, n * (thread + 1) // threads):
            s = sample * channels
            for c in range(channels):
                store(grad_factors, s + c, 0.0, 5)
            for row in range(sample * pixels, (sample + 1) * pixels):
                first = row * channels
                for c in range(channels):
                    g = load(grad_y, first + c, 3)
                    store(grad_factors, s + c, load(grad_factors, s + c, 5) + g * load(x, first + c, 0), 5)
                    store(grad_x, first + c, g * load(factors, s + c, 1), 4)

    return run
