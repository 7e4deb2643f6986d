"""The project's own training step and sampler at the yardstick's settings: the one place to adapt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch

from stylegraft.augment.config import augment_preset
from stylegraft.augment.pipe import AugmentPipe
from stylegraft.bench.yardstick import AUGMENT_PRESET, YardstickSettings
from stylegraft.networks.sampling import latents_of_seeds, sample_pixels
from stylegraft.runtime.processes import Processes
from stylegraft.training.config import RunConfig
from stylegraft.training.state import new_state
from stylegraft.training.step import StepContext, train_step


def run_config(settings: YardstickSettings, precision: Literal["fp32", "bf16"]) -> RunConfig:
    """Returns a run with the yardstick's sizes and schedules: the same work, done the project's way."""
    network = {
        "family": "stylegan2",
        "img_height": settings.resolution_px,
        "img_width": settings.resolution_px,
        "channels": settings.channels,
    }
    mapping = {
        "z_dim": settings.z_dim,
        "w_dim": settings.w_dim,
        "num_layers": settings.mapping_layers,
    }
    values = {
        "data_path": "none",
        "data": {},
        "data_hash": "none",
        "generator": network | {"architecture": "skip", "mapping": mapping},
        "discriminator": network | {"architecture": "resnet", "mbstd_group_size": settings.mbstd_group},
        "batch": settings.batch,
        "micro_batch": settings.batch,
        "precision": precision,
        "lr": settings.learning_rate,
        "r1_gamma": settings.r1_gamma,
        "r1_interval": settings.r1_interval_steps,
        "pl_weight": settings.pl_weight,
        "pl_interval": settings.pl_interval_steps,
        "pl_decay": settings.pl_decay,
        "pl_batch_shrink": settings.pl_batch_divisor,
        "mixing_prob": settings.mixing_probability,
        "ema_kimg": settings.ema_half_life_nimg / 1000,
        "augment": augment_preset(AUGMENT_PRESET),
        "ada": {"mode": "fixed", "p": settings.ada_p},
    }
    return RunConfig(**values)


def build_shipped(
    precision: Literal["fp32", "bf16"], settings: YardstickSettings, real: torch.Tensor
) -> tuple[Callable[[int], None], Callable[[], torch.Tensor]]:
    """Returns (train_step, sample_batch).

    `train_step(index)` trains on one batch, called with 0, 1, 2, ...; `sample_batch()` returns truncated
    pictures of the mean generator, uint8 [N, H, W, C], of seeds 0 to batch - 1.

    Args:
        precision: number type of the convolutions.
        settings: the yardstick's.
        real: the batch that each step sees, [batch, 3, H, W] in [-1, 1].
    """
    config = run_config(settings, precision)
    device = torch.device("cpu")
    state = new_state(config, device)
    pipe = AugmentPipe(augment_preset(AUGMENT_PRESET))

    def reals(first: int, samples: Sequence[int]) -> tuple[torch.Tensor, None]:
        return real[list(samples)], None

    context = StepContext(Processes(0, 1, device), pipe, reals, train_labels=None)

    def step(index: int) -> None:
        assert index == state.step, f"steps are counted by the state: expected {state.step}, got {index}"
        train_step(state, context)

    def sample() -> torch.Tensor:
        seeds = range(settings.batch)
        z = latents_of_seeds(seeds, settings.z_dim)
        pixels = sample_pixels(state.G_ema, z, None, seeds=seeds, psi=0.7, batch=settings.batch)
        return torch.as_tensor(pixels)

    return step, sample
