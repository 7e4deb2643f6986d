"""Machine code of a 1x1 convolution to few channels, see `kernels.to_image`.

`maps` makes pointers to feature maps, of `memory.MAPS`.

Tensor numbers: x 0, weights 1, y 2, grad_y 3, grad_x 4, grad_weights 5, sums 6.
"""

from __future__ import annotations

from typing import Any

from stylegraft.ops.kernels.code.memory import (
    arguments,
    as_float,
    call_int,
    floats,
    kernel,
    load,
    store,
)


def forward(maps: Any) -> Any:
    """y[n, k, p] = x[n, p, :] . weights[n, k, :]."""

    @kernel("reassoc", "contract", "nsz")
    def run(address: Any) -> None:
        a = arguments(address)
        threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
        n, pixels, channels, image_channels = a[2], a[3], a[4], a[5]
        x, weights, y = maps(a[6]), floats(a[7]), floats(a[8])
        for row in range(n * pixels * thread // threads, n * pixels * (thread + 1) // threads):
            sample = row // pixels
            for k in range(image_channels):
                total = as_float(0)
                w = (sample * image_channels + k) * channels
                for c in range(channels):
                    total += load(x, row * channels + c, 0) * load(weights, w + c, 1)
                store(y, (sample * image_channels + k) * pixels + row - sample * pixels, total, 2)

    return run


def backward(maps: Any) -> Any:
    """The gradients of x and weights."""

    @kernel("reassoc", "contract", "nsz")
    def run(address: Any) -> None:
        a = arguments(address)
        threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
        n, pixels, channels, image_channels = a[2], a[3], a[4], a[5]
        x, weights, grad_y = maps(a[6]), floats(a[7]), floats(a[8])
        grad_x, grad_weights, sums = maps(a[9]), floats(a[10]), floats(a[11])
        own = thread * channels
        for sample in range(n * thread // threads, n * (thread + 1) // threads):
            for i in range(image_channels * channels):
                store(grad_weights, sample * image_channels * channels + i, 0.0, 5)
            for row in range(sample * pixels, (sample + 1) * pixels):
                for c in range(channels):
                    store(sums, own + c, 0.0, 6)
                for k in range(image_channels):
                    w = (sample * image_channels + k) * channels
                    g = load(grad_y, (sample * image_channels + k) * pixels + row - sample * pixels, 3)
                    for c in range(channels):
                        value = g * load(x, row * channels + c, 0)
                        store(grad_weights, w + c, load(grad_weights, w + c, 5) + value, 5)
                        store(sums, own + c, load(sums, own + c, 6) + g * load(weights, w + c, 1), 6)
                for c in range(channels):
                    store(grad_x, row * channels + c, load(sums, own + c, 6), 4)

    return run
