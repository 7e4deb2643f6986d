"""Samples StyleGAN v1 of the paper's size on this machine, beside the rate of its matrix products.

    python benchmarks/stylegan1_sampling.py        # 256 and 1024 px, under a minute

Weights are random: speed and memory do not depend on them. Each size is measured in a process of its own; the
network is written as a checkpoint folder first, so that opening it is measured too. The cost is nominal
(up-convolutions counted at input resolution). Writes `results/<date>-stylegan1_sampling.json`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import stylegraft
from stylegraft.bench.costs import sample_flop
from stylegraft.bench.machine import peak_memory_mb
from stylegraft.files import write_text
from stylegraft.model import Model
from stylegraft.networks.config import channels_per_block
from stylegraft.networks.making import make_generator
from stylegraft.networks.stylegan1.config import GeneratorConfig

BATCH_AT_PX = {256: 4, 1024: 1}
REPEATS = 5


def gemm_gflops() -> float:
    """The rate of one 2048^3 product in float32, GFLOP/s."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    torch.mm(a, b)
    start = time.perf_counter()
    torch.mm(a, b)
    return 2 * 2048**3 / (time.perf_counter() - start) / 1e9


def write_model(px: int, folder: Path) -> None:
    channels = channels_per_block(px.bit_length() - 3, 16384, 512)
    generator = make_generator(GeneratorConfig(img_height=px, img_width=px, channels=channels)).eval()
    Model(generator, None, {"format": "stylegraft", "path": "random", "sha256": ""}).save_pretrained(folder)


def measure(px: int, folder: Path) -> dict[str, Any]:
    """Opens and samples, in this process."""
    imported_mb = peak_memory_mb()
    start = time.perf_counter()
    model = stylegraft.load(folder)
    load_sec = time.perf_counter() - start
    batch, rates, seconds = BATCH_AT_PX[px], [], []
    for _ in range(REPEATS):
        rates.append(gemm_gflops())
        start = time.perf_counter()
        model.sample(range(batch), batch=batch)
        seconds.append((time.perf_counter() - start) / batch)
    gflop = sample_flop(model.generator.config) / 1e9
    return {
        "px": px,
        "parameters": model.info["generator_parameters"],
        "load_sec": load_sec,
        "first_image_sec": seconds[0],
        "image_sec": statistics.median(seconds),
        "nominal_gflop": gflop,
        "gemm_fp32_gflops": statistics.median(rates),
        "fraction_of_gemm": gflop / statistics.median(seconds) / statistics.median(rates),
        "imports_mb": imported_mb,
        "peak_mb": peak_memory_mb(),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.folder)))
        return
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for px in BATCH_AT_PX:
            folder = Path(scratch) / str(px)
            write_model(px, folder)
            command = [sys.executable, __file__, "--measure", str(px), "--folder", str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(done.stdout))
            print(done.stdout, end="")
    name = f"{datetime.date.today().isoformat()}-stylegan1_sampling.json"
    path = Path(__file__).parent / "results" / name
    write_text(path, json.dumps({"torch": torch.__version__, "results": results}, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
