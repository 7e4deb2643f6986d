"""One measurement, in a process of its own: `python -m stylegraft.bench.worker --which bf16 --what training`.

Prints one line of JSON. `isolated.run_worker` starts it; it can be run by hand as well.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch

from stylegraft.augment.config import augment_preset
from stylegraft.augment.pipe import AugmentPipe
from stylegraft.bench.isolated import visible_compilers
from stylegraft.bench.machine import measure_machine, peak_memory_mb
from stylegraft.bench.shipped import build_shipped
from stylegraft.bench.yardstick import AUGMENT_PRESET, Yardstick, YardstickSettings
from stylegraft.runtime.machine import describe_machine
from stylegraft.runtime.random import Key

Which = Literal["yardstick", "bf16", "fp32"]
What = Literal["training", "sampling", "machine"]

WARM_STEPS = 2
WARM_BATCHES = 2


def real_images(settings: YardstickSettings) -> torch.Tensor:
    """Returns one batch of smooth random pictures, float32 [batch, 3, H, W] in [-1, 1]."""
    key = Key.of(0).fold("real images")
    coarse = key.normal(range(settings.batch), [3, 8, 8])
    size = [settings.resolution_px, settings.resolution_px]
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear").clamp(-1, 1)


def build_yardstick(
    settings: YardstickSettings,
) -> tuple[Callable[[int], None], Callable[[], torch.Tensor]]:
    """Returns (train_step, sample_batch) of the yardstick; see `shipped.build_shipped`."""
    pipe = AugmentPipe(augment_preset(AUGMENT_PRESET))
    real = real_images(settings)
    root = Key.of(0).fold("augment")
    calls = 0

    def augment(images: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        height, width = images.shape[2:]
        draws = pipe.draw(root.fold(calls), range(len(images)), images.device, height, width)
        return pipe(images, settings.ada_p, draws)

    yardstick = Yardstick(settings, augment)
    return (lambda index: yardstick.step(index, real)), (lambda: yardstick.sample(range(settings.batch)))


def measure(which: Which, what: What, steps: int, settings: YardstickSettings) -> dict[str, Any]:
    """Returns one measurement as JSON-ready values.

    Args:
        which: the yardstick, or the shipped step in bf16 or fp32.
        what: "training" counts `steps` steps after a warm-up that calls each regulariser once; "sampling"
            counts as many batches of `sample_batch`; "machine" ignores `which`.
        steps: steps or batches; 16 steps have one R1 and four path-length penalties.
        settings: sizes and schedules.
    """
    result: dict[str, Any] = {"compilers_on_path": visible_compilers(os.environ.get("PATH", ""))}
    if what == "machine":
        return result | {"machine": describe_machine(), "rates": measure_machine()}
    if which == "yardstick":
        train_step, sample_batch = build_yardstick(settings)
    else:
        train_step, sample_batch = build_shipped(which, settings, real_images(settings))
    seconds: list[float] = []
    images = 0
    warm = WARM_STEPS if what == "training" else WARM_BATCHES
    for index in range(warm + steps):
        start = time.perf_counter()
        if what == "training":
            train_step(index)
            count = settings.batch
        else:
            count = len(sample_batch())
        if index >= warm:
            seconds.append(time.perf_counter() - start)
            images += count
    return result | {
        "which": which,
        "what": what,
        "images": images,
        "img_per_sec": images / sum(seconds),
        "step_sec": [round(value, 4) for value in seconds],
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "torch_threads": torch.get_num_threads(),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measures what the command line asks for and prints it as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m stylegraft.bench.worker", description=__doc__)
    parser.add_argument("--which", choices=get_args(Which), default="yardstick")
    parser.add_argument("--what", choices=get_args(What), default="training")
    parser.add_argument("--steps", type=int, default=16, help="steps or sampled batches that count")
    parser.add_argument("--settings", default="{}", help="JSON of YardstickSettings fields that differ")
    given = parser.parse_args(arguments)
    settings = YardstickSettings(**json.loads(given.settings))
    print(json.dumps(measure(given.which, given.what, given.steps, settings)))


if __name__ == "__main__":
    main()
