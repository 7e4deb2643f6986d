"""Machine code of the adjoint of a strided FIR filter, see `kernels.spread`.

`maps` makes pointers to feature maps, of `memory.MAPS`.

Tensor numbers: x 0, taps 1, y 2.
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


def spread(maps: Any) -> Any:
    """y[2 i + k - padding] = sum of x[i] * taps[k]."""

    @kernel("contract")
    def run(address: Any) -> None:
        a = arguments(address)
        threads, thread = (call_int(a[0]), call_int(a[1])) if a[0] else (1, 0)
        n, channels, height, width, out_height, out_width = a[2], a[3], a[4], a[5], a[6], a[7]
        pad_y, pad_x = a[8], a[9]
        x, taps, y = maps(a[10]), floats(a[11]), maps(a[12])
        rows = n * out_height
        nothing = as_float(0)
        for row in range(rows * thread // threads, rows * (thread + 1) // threads):
            image, at_y = row // out_height * height, row % out_height + pad_y
            # The two source rows are i and i - 1 with taps k and k + 2; outside, the weight is 0.
            y0, ky = at_y // 2, at_y % 2
            for column in range(out_width):
                at_x = column + pad_x
                x0, kx = at_x // 2, at_x % 2
                w00 = w01 = w10 = w11 = nothing
                if y0 < height and x0 < width:
                    w00 = load(taps, ky * 4 + kx, 1)
                if y0 < height and 1 <= x0 <= width:
                    w01 = load(taps, ky * 4 + kx + 2, 1)
                if 1 <= y0 <= height and x0 < width:
                    w10 = load(taps, (ky + 2) * 4 + kx, 1)
                if 1 <= y0 <= height and 1 <= x0 <= width:
                    w11 = load(taps, (ky + 2) * 4 + kx + 2, 1)
                here_y, above_y = min(y0, height - 1), min(max(y0 - 1, 0), height - 1)
                here_x, left_x = min(x0, width - 1), min(max(x0 - 1, 0), width - 1)
                p00 = ((image + here_y) * width + here_x) * channels
                p01 = ((image + here_y) * width + left_x) * channels
                p10 = ((image + above_y) * width + here_x) * channels
                p11 = ((image + above_y) * width + left_x) * channels
                first = (row * out_width + column) * channels
                for c in range(channels):
                    v = load(x, p00 + c, 0) * w00 + load(x, p01 + c, 0) * w01
                    v += load(x, p10 + c, 0) * w10 + load(x, p11 + c, 0) * w11
                    store(y, first + c, v, 2)

    return run
