"""Measures what it costs to load a large public checkpoint: seconds, and peak memory over the file's size.

    python benchmarks/load_checkpoint.py                   # files of about 350 MB, a minute or two
    python benchmarks/load_checkpoint.py --formats nvidia-pytorch

The files are made in a temporary folder, with networks for 1024 px in the papers' sizes and random weights.
Each is loaded by `stylegraft.load` in a process of its own. The peak counts from the memory that the process
had after importing the library. Writes `results/<date>-load_checkpoint.json` beside this file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from stylegraft.files import write_text

# Files in foreign layouts are written by helpers of the tests.
WRITERS_FOLDER = Path(__file__).parents[1] / "tests" / "checkpoints"
MAX_SECONDS = 20.0
MAX_TIMES_SIZE = 3.0
SIDE_PX = 1024


def write_nvidia_pytorch(path: Path) -> None:
    from foreign_writer import official, random_networks, write_official

    networks = random_networks(*paper_configs())
    write_official(path, {name: official(module) for name, module in networks.items()})


def write_tensorflow_stylegan1(path: Path) -> None:
    from stylegraft.networks.stylegan1.config import DiscriminatorConfig, GeneratorConfig

    sizes = paper_sizes(16384)
    _write_tensorflow(path, GeneratorConfig(**sizes), DiscriminatorConfig(**sizes))


def write_tensorflow_stylegan2(path: Path) -> None:
    _write_tensorflow(path, *paper_configs())


def _write_tensorflow(path: Path, generator: Any, discriminator: Any) -> None:
    from tensorflow_writer import discriminator_network, generator_network, randomize, write_tensorflow

    from stylegraft.networks.families import make_discriminator, make_generator

    G, Gs = randomize(make_generator(generator), 0), randomize(make_generator(generator), 1)
    D = randomize(make_discriminator(discriminator), 2)
    root = (generator_network(G, "G"), discriminator_network(D), generator_network(Gs, "Gs"))
    write_tensorflow(path, root)


def write_rosinality_zip(path: Path) -> None:
    from foreign_writer import random_networks

    from stylegraft.checkpoints.export.rosinality import write_rosinality

    generator, discriminator = paper_configs()
    tensors = {
        name: module.state_dict() for name, module in random_networks(generator, discriminator).items()
    }
    write_rosinality(path, generator, discriminator, tensors)


def write_rosinality_legacy(path: Path) -> None:
    import torch

    write_rosinality_zip(path)
    state = torch.load(path, weights_only=True)
    torch.save(state, path, _use_new_zipfile_serialization=False)


def paper_configs() -> tuple[Any, Any]:
    """G and D of StyleGAN2 at 1024 px, configuration F of the paper."""
    from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig

    sizes = paper_sizes(32768)
    return GeneratorConfig(**sizes), DiscriminatorConfig(**sizes)


def paper_sizes(channel_base: int) -> dict[str, Any]:
    """Sizes of G and D for a number of feature maps times pixels."""
    from stylegraft.networks.config import channels_per_block

    channels = channels_per_block(8, channel_base, 512)
    return {"img_height": SIDE_PX, "img_width": SIDE_PX, "channels": channels}


WRITERS: dict[str, Callable[[Path], None]] = {
    "nvidia-pytorch": write_nvidia_pytorch,
    "tensorflow-stylegan1": write_tensorflow_stylegan1,
    "tensorflow-stylegan2": write_tensorflow_stylegan2,
    "rosinality-zip": write_rosinality_zip,
    "rosinality-legacy": write_rosinality_legacy,
}


def load(path: Path) -> dict[str, Any]:
    """Loads a file in this process and returns the measurement."""
    import stylegraft.model  # noqa: F401 - what any use of the library costs is no part of it
    from stylegraft import load as load_model
    from stylegraft.bench.machine import peak_memory_mb
    from stylegraft.runtime.machine import describe_machine

    before = peak_memory_mb()
    start = time.perf_counter()
    model = load_model(path, device="cpu")
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "imports_mb": before,
        "peak_mb": peak_memory_mb() - before,
        "generator_parameters": model.info["generator_parameters"],
        "machine": describe_machine(),
    }


def run_apart(*words: str) -> str:
    """Runs this script in a process of its own and returns the last line it prints."""
    done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True)
    return (done.stdout.splitlines() or [""])[-1]


def measure(name: str, rounds: int, console: Console) -> dict[str, Any]:
    """Makes a file of one format and returns its measurements."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.file"
        run_apart("--write", name, "--path", str(path))
        file_mb = path.stat().st_size / 1e6
        runs = [json.loads(run_apart("--load", "--path", str(path))) for _ in range(rounds)]
    machines = [run.pop("machine") for run in runs]
    row = {
        "format": name,
        "file_mb": file_mb,
        "seconds": sorted(run["seconds"] for run in runs)[rounds // 2],
        "times_size": max(run["peak_mb"] for run in runs) / file_mb,
    }
    row["held"] = row["seconds"] < MAX_SECONDS and row["times_size"] < MAX_TIMES_SIZE
    console.print(
        f"{name:20} {file_mb:6.0f} MB  {row['seconds']:6.2f} s  peak {row['times_size']:.2f} x its size"
        f"  {'held' if row['held'] else 'MISSED'}"
    )
    return row | {"runs": runs, "machine": machines[0]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--formats", nargs="+", choices=WRITERS, default=list(WRITERS), help="which files")
    parser.add_argument(
        "--rounds", type=int, default=3, help="processes that load each file; the median counts"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results", help="folder of the JSON"
    )
    parser.add_argument("--write", choices=WRITERS, help=argparse.SUPPRESS)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        sys.path.insert(0, str(WRITERS_FOLDER))
        WRITERS[given.write](given.path)
        with given.path.open("rb+") as file:
            os.fsync(file.fileno())  # or writing it goes on while it is read
        return
    if given.load:
        print(json.dumps(load(given.path)))
        return

    console = Console()
    rows = [measure(name, given.rounds, console) for name in given.formats]
    machines = [row.pop("machine") for row in rows]
    now = datetime.datetime.now(datetime.UTC)
    report = {
        "schema_version": 1,
        "date": now.isoformat(timespec="seconds"),
        "benchmark": "load_checkpoint",
        "machine": machines[0],
        "protocol": {
            "rounds": given.rounds,
            "side_px": SIDE_PX,
            "seconds": "median",
            "times_size": "largest",
        },
        "bars": {"seconds": MAX_SECONDS, "times_size": MAX_TIMES_SIZE},
        "results": rows,
    }
    path = given.out / f"{now:%Y-%m-%d}-load_checkpoint.json"
    write_text(path, json.dumps(report, indent=1) + "\n")
    console.print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
