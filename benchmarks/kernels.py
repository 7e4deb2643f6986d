"""What the compiled kernels and the choices around them gain, each beside what it replaced.

    python benchmarks/kernels.py                        # under half a minute
    python benchmarks/kernels.py --precision fp32       # feature maps in fp32 where there are bf16 units too

Shapes are those of the yardstick's settings, feature maps in the number type that training takes here.
"Forward" and "backward" are medians of their own; GB/s are the bytes that one pass has to move over its time.
The last rows are choices that were not taken.
Writes `results/<date>-kernels.json` beside this file; `render.py` puts the table into the documentation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor

from stylegraft.bench.machine import measure_machine, median_seconds, resolved_precision
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, write_result
from stylegraft.bench.roofline import count_parameters
from stylegraft.bench.shipped import run_config
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.networks.config import GeneratorConfig
from stylegraft.networks.stylegan2 import Generator
from stylegraft.ops.bias_act import bias_act
from stylegraft.ops.conv_resample import conv2d_resample
from stylegraft.ops.depthwise_fir import fir_down, fir_up
from stylegraft.ops.filters import setup_filter
from stylegraft.ops.kernels.epilogue import epilogue
from stylegraft.ops.kernels.switch import compile_kernels, first_order
from stylegraft.ops.modulated_layer import modulated_to_image

RESULTS = Path(__file__).parent / "results"
REPEATS = 15
BATCH, CHANNELS, SIDE_PX = 16, 64, 64
FP32_BYTES = 4
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def measure(dtype: torch.dtype) -> list[dict[str, Any]]:
    """Returns one row a comparison: seconds before and after, and the bytes of one pass.

    Args:
        dtype: of the feature maps.
    """
    torch.manual_seed(0)
    x = _maps(BATCH, CHANNELS, SIDE_PX, dtype)
    pass_bytes = x.nbytes
    rows = []

    scale, bias = torch.rand(BATCH, CHANNELS) + 0.5, torch.randn(CHANNELS)
    noise = torch.randn(BATCH, 1, SIDE_PX, SIDE_PX)

    inputs = [tensor.requires_grad_() for tensor in (x, scale, noise, bias)]

    def eager_epilogue() -> Tensor:
        y = x * scale.to(x.dtype)[:, :, None, None] + noise.to(x.dtype)
        return bias_act(y, bias, act="lrelu")

    def fused_epilogue() -> Tensor:
        return epilogue(x, scale, noise, bias, 0.2, 2**0.5, None)

    name = "demodulation, noise, bias, activation"
    rows += _both_ways(name, inputs, eager_epilogue, fused_epilogue, 2 * pass_bytes)

    taps = setup_filter((1.0, 3.0, 3.0, 1.0))
    assert taps is not None
    taps = taps.to(dtype)

    def adjoint_by_torch() -> Tensor:
        return F.conv_transpose2d(half, depthwise, stride=2, padding=1, groups=CHANNELS)

    full = x.detach()
    half, depthwise = _maps(BATCH, CHANNELS, SIDE_PX // 2, dtype), taps.expand(CHANNELS, 1, -1, -1)
    rows.append(
        _row(
            "gradient of the halving FIR filter",
            adjoint_by_torch,
            lambda: fir_up(half, taps, (2, 2), (1, 1)),
            1.25 * pass_bytes,
        )
    )
    rows.append(
        _row(
            "halving FIR filter (torch's own is kept)",
            lambda: F.conv2d(full, depthwise, stride=2, padding=1, groups=CHANNELS),
            lambda: fir_down(full, taps, (2, 2), (1, 1)),
            1.25 * pass_bytes,
        )
    )

    styles, weight = torch.randn(BATCH, CHANNELS), torch.randn(3, CHANNELS, 1, 1)
    inputs = [tensor.requires_grad_() for tensor in (x, weight, styles)]

    def to_image() -> Tensor:
        return modulated_to_image(x, weight, styles, torch.zeros(3))

    image_bytes = BATCH * 3 * SIDE_PX**2 * FP32_BYTES
    rows += _both_ways("ToRGB", inputs, to_image, to_image, pass_bytes + image_bytes)

    rows.append(_adam_row())
    rows.append(_split_row())
    return rows + _up_rows(dtype)


def _both_ways(
    name: str,
    inputs: Sequence[Tensor],
    before: Callable[[], Tensor],
    after: Callable[[], Tensor],
    num_bytes: float,
) -> list[dict[str, Any]]:
    """Forward and backward of an operation by torch's own operations and, in `first_order`, by kernels."""

    def after_by_kernels() -> Tensor:
        with first_order():
            return after()

    def backward(y: Tensor) -> Callable[[], object]:
        gradient = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, inputs, gradient, retain_graph=True)

    return [
        _row(f"{name}, forward", before, after_by_kernels, num_bytes),
        _row(f"{name}, backward", backward(before()), backward(after_by_kernels()), 1.5 * num_bytes),
    ]


def _adam_row() -> dict[str, Any]:
    """Adam on the generator's parameters: torch's default for CPUs, and the fused one."""
    config = run_config(YardstickSettings(), "fp32").generator
    assert isinstance(config, GeneratorConfig)
    steps = []
    for fused in (False, True):
        network = Generator(config)
        for parameter in network.parameters():
            parameter.grad = torch.randn_like(parameter)
        steps.append(torch.optim.Adam(network.parameters(), fused=fused).step)
    return _row("Adam on G: plain, fused", steps[0], steps[1], 7 * count_parameters(config) * FP32_BYTES)


def _split_row() -> dict[str, Any]:
    """Not taken: D's last convolution, of 257 maps, as one of 256 and one of the odd map."""
    x = torch.randn(BATCH, 257, 4, 4).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(256, 257, 3, 3).contiguous(memory_format=torch.channels_last)

    def split() -> Tensor:
        many, odd = weight[:, :256].contiguous(memory_format=torch.channels_last), weight[:, 256:]
        return F.conv2d(x[:, :256], many, padding=1) + F.conv2d(x[:, 256:], odd, padding=1)

    num_bytes = (x.numel() + weight.numel() + BATCH * 256 * 16) * FP32_BYTES
    return _row("not taken: 257 maps as 256 + 1", lambda: F.conv2d(x, weight, padding=1), split, num_bytes)


def _up_rows(dtype: torch.dtype) -> list[dict[str, Any]]:
    """Not taken: the up-convolution of the last block, forwards and backwards, with its filter in the kernel.

    A transposed convolution and the FIR filter after it are one transposed convolution of 6 x 6, or a
    convolution to four times the maps whose pixels are shuffled. Each has four times the products.
    """
    x = _maps(BATCH, 2 * CHANNELS, SIDE_PX // 2, dtype).requires_grad_()
    taps = setup_filter((1.0, 3.0, 3.0, 1.0))
    grad = _maps(BATCH, CHANNELS, SIDE_PX, dtype)

    def weight(*shape: int) -> Tensor:
        values = torch.randn(*shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
        return values.requires_grad_()

    separate = weight(CHANNELS, 2 * CHANNELS, 3, 3)
    whole, phases = weight(2 * CHANNELS, CHANNELS, 6, 6), weight(4 * CHANNELS, 2 * CHANNELS, 3, 3)

    def both_ways(up: Callable[[Tensor], Tensor], w: Tensor) -> Callable[[], object]:
        return lambda: torch.autograd.grad(up(w), [x, w], grad)

    kept = both_ways(lambda w: conv2d_resample(x, w, taps, up=2, padding=1, flip_weight=False), separate)
    others = {
        "6 x 6": both_ways(lambda w: F.conv_transpose2d(x, w, stride=2, padding=2), whole),
        "four phases": both_ways(lambda w: F.pixel_shuffle(F.conv2d(x, w, padding=1), 2), phases),
    }
    num_bytes = 3 * (x.nbytes + grad.nbytes)
    return [
        _row(f"not taken: up-convolution as {name}", kept, other, num_bytes) for name, other in others.items()
    ]


def _row(
    name: str, before: Callable[[], object], after: Callable[[], object], num_bytes: float
) -> dict[str, Any]:
    return {
        "name": name,
        "before_sec": median_seconds(before, REPEATS),
        "after_sec": median_seconds(after, REPEATS),
        "bytes": num_bytes,
    }


def _maps(n: int, channels: int, side_px: int, dtype: torch.dtype) -> Tensor:
    maps = torch.randn(n, channels, side_px, side_px, dtype=dtype)
    return maps.contiguous(memory_format=torch.channels_last)


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    cells = [
        [
            row["name"],
            number(row["before_sec"] * 1e3),
            number(row["after_sec"] * 1e3),
            number(row["before_sec"] / row["after_sec"]),
            number(row["bytes"] / row["after_sec"] / 1e9),
        ]
        for row in result["rows"]
    ]
    header = ["operation", "torch, ms", "ours, ms", "times", "GB/s of ours"]
    head = f"{machine_line(result)} Feature maps in {result['precision']}."
    return {"kernels": f"{head}\n\n{table(header, cells)}"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precision", choices=["auto", *DTYPES], default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    given = parser.parse_args()
    precision = resolved_precision(given.precision)
    compile_kernels(precision)
    result = result_header("kernels") | {
        "precision": precision,
        "rates": measure_machine(),
        "rows": measure(DTYPES[precision]),
    }
    path = write_result(given.out, result)
    print(tables(result)["kernels"])
    Console().print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
