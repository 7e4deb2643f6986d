"""How fast pictures are made: which batch, and what `sample` and `generate` add to the synthesis network.

    python benchmarks/generating.py                     # some minutes
    python benchmarks/generating.py --num 64 --rounds 1 --sizes 32 64        # a quick look

Networks have random weights in the yardstick's sizes: feature maps = 4096 / resolution, at most 256. The
first table is pictures a second by size and batch, from w to uint8 pixels; the batch that the library chooses
by itself is marked. The second is one size with all that comes with it: seeds and mapping network, the same
seeds again, writing PNG files into a folder or zip while the next batch is made, and the writing alone.
All ways take turns; medians over the rounds count.
Writes `results/<date>-generating.json` beside this file; `render.py` puts it into the documentation.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from stylegraft.bench.machine import measure_machine, resolved_precision
from stylegraft.bench.markdown import number, table
from stylegraft.bench.results import machine_line, result_header, write_result
from stylegraft.data import write_image_set
from stylegraft.generate import GenerateConfig, generate_set
from stylegraft.model import Model
from stylegraft.networks.config import GeneratorConfig, channels_per_block
from stylegraft.networks.making import make_generator
from stylegraft.networks.protocol import Generator
from stylegraft.networks.sampling import latents_of_seeds, map_to_w, pixels_of_w
from stylegraft.runtime.precision import compute_dtype

RESULTS = Path(__file__).parent / "results"
SIZES_PX, BATCHES = (32, 64, 128, 256, 512), (1, 2, 4, 8, 16, 32, 64)
ROUNDS, NUM, SIDE_PX = 5, 512, 64
_CHANNEL_BASE, _CHANNEL_MAX = 4096, 256
_INFO = {"sha256": "", "c_dim": 0, "family": "stylegan2"}
_MOST_PIXELS = 2**21  # of a batch; larger ones need much memory and win nothing


def make_model(side_px: int) -> Model:
    """Returns a model with random weights, as `stylegraft.load` would with `precision="auto"`."""
    torch.manual_seed(0)
    channels = channels_per_block(side_px.bit_length() - 2, _CHANNEL_BASE, _CHANNEL_MAX)
    config = GeneratorConfig(img_height=side_px, img_width=side_px, channels=channels)
    generator = make_generator(config).eval().requires_grad_(False)
    dtype = compute_dtype("auto", torch.device("cpu"))
    if dtype == torch.bfloat16:
        generator.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    generator.set_compute_dtype(dtype)
    return Model(generator, None, dict(_INFO))


def rate(run: Callable[[], object], num: int) -> float:
    """Returns pictures a second of one call that makes `num`."""
    start = time.perf_counter()
    run()
    return num / (time.perf_counter() - start)


def measure_batches(side_px: int, rounds: int) -> dict[str, Any]:
    """Returns pictures a second by batch at one size, medians over rounds in which the batches take turns."""
    model = make_model(side_px)
    config = model.generator.config
    batches = [batch for batch in BATCHES if batch * side_px**2 <= _MOST_PIXELS]
    w = {
        batch: map_to_w(model.generator, latents_of_seeds(range(batch), config.mapping.z_dim), None)
        for batch in batches
    }

    def paint(batch: int) -> None:
        pixels_of_w(model.generator, w[batch], seeds=range(batch), batch=batch)

    for batch in batches:
        paint(batch)  # sets up kernels
    speeds: dict[int, list[float]] = {batch: [] for batch in batches}
    for _ in range(rounds):
        for batch in batches:
            repeats = max(1, 16 // batch)
            speeds[batch].append(
                rate(lambda batch=batch, n=repeats: [paint(batch) for _ in range(n)], batch * repeats)
            )
    return {
        "side_px": side_px,
        "chosen": model.sampling_batch,
        "img_per_sec": {str(batch): statistics.median(values) for batch, values in speeds.items()},
    }


def measure_ways(num: int, rounds: int, console: Console) -> dict[str, list[float]]:
    """Returns pictures a second of each way to make or write `num` pictures, one value a round."""
    generator = make_model(SIDE_PX).generator
    w = map_to_w(generator, latents_of_seeds(range(num), generator.config.mapping.z_dim), None)
    pictures = pixels_of_w(generator, w, seeds=range(num))
    speeds: dict[str, list[float]] = {}
    for index in range(rounds + 1):  # the first one warms up
        with tempfile.TemporaryDirectory() as folder:
            for name, way in _ways(generator, w, pictures, Path(folder)).items():
                found = rate(way, num)
                if index:
                    speeds.setdefault(name, []).append(found)
                    console.print(f"round {index}/{rounds} {name:16} {found:7.1f} img/s", highlight=False)
    return speeds


def _ways(
    generator: Generator, w: torch.Tensor, pictures: np.ndarray, out: Path
) -> dict[str, Callable[[], object]]:
    """Returns the ways of the second table, in their order; models are new, so that they know no seed yet."""
    seeds, config = range(len(w)), GenerateConfig(num=len(w))
    model, for_folder, for_zip = (Model(generator, None, dict(_INFO)) for _ in range(3))
    return {
        "synthesis": lambda: pixels_of_w(generator, w, seeds=seeds),
        "sample": lambda: model.sample(seeds, psi=1.0),
        "sample_again": lambda: model.sample(seeds, psi=0.7),
        "generate_folder": lambda: generate_set(for_folder, config, out / "set"),
        "generate_zip": lambda: generate_set(for_zip, config, out / "set.zip"),
        "writing": lambda: write_image_set(out / "written", pictures),
    }


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Returns the documentation's generated parts by name, as Markdown."""
    used = [batch for batch in BATCHES if any(str(batch) in row["img_per_sec"] for row in result["sizes"])]
    cells = []
    for row in result["sizes"]:
        line = [str(row["side_px"])]
        for batch in used:
            text = number(row["img_per_sec"].get(str(batch)))
            line.append(f"**{text}**" if batch == row["chosen"] else text)
        cells.append(line)
    by_batch = table(["size, px", *(f"batch {batch}" for batch in used)], cells)
    texts = {
        "synthesis": "from w to pixels, nothing else",
        "sample": "`Model.sample`, seeds not seen before",
        "sample_again": "`Model.sample`, the same seeds at another psi",
        "generate_folder": "`generate` into a folder",
        "generate_zip": "`generate` into a zip",
        "writing": "writing alone, pictures at hand",
    }
    ways, whole = result["img_per_sec"], result["img_per_sec"]["synthesis"]
    by_way = table(
        [f"{result['num']:,} pictures of {result['side_px']} px", "img/s", "of synthesis"],
        [[text, number(ways[name]), number(ways[name] / whole)] for name, text in texts.items()],
    )
    head = f"{machine_line(result)} Convolutions in {result['precision']}."
    return {"generating-batches": f"{head}\n\n{by_batch}", "generating-ways": by_way}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each kind; medians count")
    parser.add_argument("--num", type=int, default=NUM, help="pictures of a measurement in the second table")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES_PX, help="sides of the first table, px")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder or file of the JSON")
    given = parser.parse_args()

    console = Console()
    rates = measure_machine()
    sizes = []
    for side_px in given.sizes:
        sizes.append(measure_batches(side_px, given.rounds))
        console.print(f"{side_px} px: {sizes[-1]['img_per_sec']}", highlight=False)
    speeds = measure_ways(given.num, given.rounds, console)
    result = result_header("generating") | {
        "rates": rates,
        "precision": resolved_precision("auto"),
        "threads": torch.get_num_threads(),
        "rounds": given.rounds,
        "num": given.num,
        "side_px": SIDE_PX,
        "sizes": sizes,
        "img_per_sec": {name: statistics.median(values) for name, values in speeds.items()},
        "img_per_sec_of_rounds": speeds,
    }
    path = write_result(given.out, result)
    for text in tables(result).values():
        print(f"\n{text}")
    console.print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
