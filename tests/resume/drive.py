"""Trains a tiny run in a process of its own; the tests of resuming and of several processes start it."""

import argparse

import numpy as np
import torch
from rich.console import Console

from stylegraft.data.config import DataConfig
from stylegraft.runtime.processes import join_processes
from stylegraft.training.config import TrainOptions
from stylegraft.training.run import MeasuredEvaluator, resume_run, start_run


class Value:
    floor = None

    def __init__(self, value: float) -> None:
        self.value = value


def make_evaluator(images, split):
    """A distance that costs nothing: of mean pictures."""
    target = images.pixels(split.train_indices).mean(axis=0)

    def evaluate(sample_fakes, num_fakes):
        return Value(float(np.abs(sample_fakes(0, 16).mean(axis=0) - target).mean()))

    return MeasuredEvaluator(evaluate, feature_sec=1e-4)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("run")
    parser.add_argument("--kimg", type=float, required=True)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--micro-batch", type=int, default=8)
    parser.add_argument("--growing", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--source")
    flags = parser.parse_args()
    torch.set_num_threads(1)
    with join_processes("cpu") as processes:
        common = {
            "make_evaluator": make_evaluator,
            "processes": processes,
            "console": Console(stderr=True, quiet=not processes.is_first),
        }
        if flags.resume:
            resume_run(flags.run, data_path=None, kimg=flags.kimg, minutes=None, **common)
            return
        options = TrainOptions(
            kimg=flags.kimg,
            batch=8,
            micro_batch=flags.micro_batch,
            precision=flags.precision,
            threads=flags.threads,
            channel_base=128,
            channel_max=16,
            z_dim=16,
            w_dim=16,
            pl_weight=2.0,
            mixing_prob=0.9,
            aug_p=0.3,
            ada_kimg=1.0,
            num_checkpoints=8,
            eval_kimg=0.128,
            eval_fakes=16,
        )
        data = DataConfig(mirror=True)
        if flags.growing:
            options = options.replace(
                family="stylegan1", stable_kimg=0.064, fade_kimg=0.064, pl_weight=None, aug="ada"
            )
            data = data.replace(size="32")
        if flags.source:
            # Twice the source's size, with a part that is frozen and rates by part.
            options = options.replace(
                freeze_synthesis=1, lr_mapping=0.5, lr_synthesis=2.0, lr_d=0.25, channel_base=None
            )
            options = options.replace(channel_max=None, z_dim=None, w_dim=None)
            data = data.replace(size="32", labels="none")
        start_run(flags.data, flags.run, options, data, source=flags.source, **common)


if __name__ == "__main__":
    main()
