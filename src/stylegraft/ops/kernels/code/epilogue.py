"""Machine code of what follows a convolution, see `kernels.epilogue`.

`maps` makes pointers to feature maps, of `memory.MAPS`. Rows are pixels, [N * H * W, C].

Tensor numbers: x 0, scale 1, noise 2, bias 3, y 4, grad_y 5, grad_x 6, grad_scale 7, grad_bias 8,
grad_noise 9.
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
    """y = clamp(gain * lrelu(scale * x + noise + bias))."""

    @kernel("contract")
    def run(address: Any) -> None:
        a = arguments(address)
        threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
        n, pixels, channels = a[2], a[3], a[4]
        x, scale, noise, bias, y = maps(a[5]), floats(a[6]), floats(a[7]), floats(a[8]), maps(a[9])
        gain, clamp = as_float(a[11]), as_float(a[12])
        gain_below = as_float(a[10]) * gain
        for row in range(n * pixels * thread // threads, n * pixels * (thread + 1) // threads):
            first, sample = row * channels, row // pixels * channels
            added = load(noise, row, 2)
            for c in range(channels):
                v = load(x, first + c, 0) * load(scale, sample + c, 1) + (added + load(bias, c, 3))
                v *= gain if v > 0 else gain_below
                store(y, first + c, max(min(v, clamp), -clamp), 4)

    return run


def backward(maps: Any) -> Any:
    """The gradients of x, scale, bias (for each sample) and noise, from those of y and y itself."""

    @kernel("reassoc", "contract", "nsz")
    def run(address: Any) -> None:
        a = arguments(address)
        threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
        n, pixels, channels = a[2], a[3], a[4]
        grad_y, y, scale, noise, bias = maps(a[5]), maps(a[6]), floats(a[7]), floats(a[8]), floats(a[9])
        grad_x, grad_scale, grad_bias, grad_noise = maps(a[10]), floats(a[11]), floats(a[12]), floats(a[13])
        gain, gain_below, undo, undo_below = (
            as_float(a[14]),
            as_float(a[15]),
            as_float(a[16]),
            as_float(a[17]),
        )
        limit = as_float(a[18])
        for sample in range(n * thread // threads, n * (thread + 1) // threads):
            s = sample * channels
            for c in range(channels):
                store(grad_scale, s + c, 0.0, 7)
                store(grad_bias, s + c, 0.0, 8)
            for row in range(sample * pixels, (sample + 1) * pixels):
                first = row * channels
                added = load(noise, row, 2)
                over_channels = as_float(0)
                for c in range(channels):
                    out = load(y, first + c, 4)
                    g = load(grad_y, first + c, 5) * (gain if out > 0 else gain_below)
                    g = g if abs(out) < limit else as_float(0)
                    scaled_x = out * (undo if out > 0 else undo_below) - (added + load(bias, c, 3))
                    store(grad_scale, s + c, load(grad_scale, s + c, 7) + g * scaled_x, 7)
                    store(grad_bias, s + c, load(grad_bias, s + c, 8) + g, 8)
                    store(grad_x, first + c, g * load(scale, s + c, 1), 6)
                    over_channels += g
                store(grad_noise, row, over_channels, 9)
            for c in range(channels):
                store(grad_scale, s + c, load(grad_scale, s + c, 7) / load(scale, s + c, 1), 7)

    return run
