"""Small image sets, tiny networks, and an engine that trains in this process, for the tests of the study."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.checkpoints.run_folder import has_checkpoints
from stylegraft.cli.main import main
from stylegraft.data.config import DataConfig
from stylegraft.training.config import TrainOptions
from stylegraft.training.run import MeasuredEvaluator
from stylegraft.transfer.launch import Outcome
from stylegraft.transfer.study.cell import CellJob

SMALL = (
    "--channel-base",
    "64",
    "--channel-max",
    "8",
    "--mapping-layers",
    "1",
    "--z-dim",
    "8",
    "--w-dim",
    "8",
)
TINY = ("--batch", "4", "--precision", "fp32", *SMALL)


def write_images(folder: Path, number: int = 16, size: int = 16, seed: int = 0) -> Path:
    """Writes noise whose names have no numbers, so that each file is a source of its own."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for index in range(number):
        pixels = random.integers(0, 256, [size, size, 3], dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"picture{chr(97 + index // 26)}{chr(97 + index % 26)}.png")
    return folder


def read_options(words: object) -> tuple[TrainOptions, DataConfig]:
    """Stands for the command line where the flags are not the subject."""
    return TrainOptions(kimg=0.032, batch=4, precision="fp32"), DataConfig()


class _Value:
    floor = None

    def __init__(self, value: float) -> None:
        self.value = value


def cheap_evaluator(images, split) -> MeasuredEvaluator:
    """A distance that costs nothing: of mean pictures."""
    target = images.pixels(split.train_indices).mean()
    return MeasuredEvaluator(lambda sample, num: _Value(abs(float(sample(0, num).mean() - target))), 1e-4)


class InProcess:
    """Trains each cell at once, in this process.

    Attributes:
        failing: ids of cells that fail before they begin.
        trained: ids of the cells that were trained, in order.
    """

    slots = 1
    threads = 1

    def __init__(self) -> None:
        self.failing: dict[str, str] = {}
        self.trained: list[str] = []

    def submit(self, job: CellJob) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        if job.id in self.failing:
            future.set_result(Outcome(1, self.failing[job.id], was_stopped=False))
            return future
        code = main(["train", *(job.resume if has_checkpoints(job.folder) else job.arguments)])
        self.trained.append(job.id)
        future.set_result(Outcome(code, None if code == 0 else "failed", was_stopped=False))
        return future

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass
